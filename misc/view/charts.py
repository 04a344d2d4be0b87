"""Line charts as SVG, and the report's: curves of trainings, measures over thresholds."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from misc.train.curves import curve_path, read_curves

Line = tuple[Sequence[float], Sequence[float | None]]
# Chinese, Japanese and Korean fonts of each system, whose letters matplotlib's own font lacks.
_MORE_FONTS = {
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans GB",
    "Apple SD Gothic Neo",
}
# Names of classes and files with `$` are no formulas; equal charts are equal bytes.
STYLE = {
    "font.family": ["DejaVu Sans", *sorted(_MORE_FONTS.intersection(get_font_names()))],
    "font.size": 9,
    "axes.titlesize": 9,
    "text.parse_math": False,
    "svg.hashsalt": "irnet",
}
_DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))


@matplotlib.rc_context(STYLE)
def line_chart(
    lines: Mapping[str, Line], *, x_label: str, marks: Mapping[str, float] | None = None
) -> bytes:
    """Draw named lines of x and y, and named positions on the x axis; None and NaN are gaps."""
    figure = Figure((3.8, 3), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label)
    for number, (name, (x, y)) in enumerate(lines.items()):
        values = np.array(y, np.float64)
        values[~np.isfinite(values)] = np.nan
        marker = "o" if np.isfinite(values).sum() == 1 else ""  # one point has no line
        dashes = _DASHES[number % len(_DASHES)]
        axes.plot(x, values, marker=marker, linestyle=dashes, label=name)
    for number, (name, position) in enumerate((marks or {}).items(), start=1):
        axes.axvline(position, color="0.3", linewidth=0.8, linestyle=_DASHES[number], label=name)
    if axes.dataLim.y0 >= 0:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.2)
    axes.locator_params(axis="x", nbins=5)
    names = [*lines, *(marks or {})]
    if names:
        columns = 2 if max(map(len, names)) <= 24 else 1
        figure.legend(loc="outside upper left", ncols=columns, frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def threshold_chart(curve: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw the measures of the CAMs over their threshold, from the breakdown of eval_cam."""
    name = f"--{curve['flag']}"
    marks = {f"{word} {curve[word]:g}": curve[word] for word in ("used", "best")}
    return {f"eval_cam: by {name}": line_chart(curve["lines"], x_label=name, marks=marks)}


def training_charts(weights: Mapping[str, Path]) -> dict[str, bytes]:
    """Draw a chart for each loss term or measure of each training, named with its weights."""
    charts = {}
    for training, path in weights.items():
        curves = read_curves(curve_path(path))
        for name in dict.fromkeys(name.removeprefix("val_") for name in curves):
            lines = {n: curves[n] for n in (name, f"val_{name}") if n in curves}
            charts[f"{training}: {name}"] = line_chart(lines, x_label="step")
    return charts
