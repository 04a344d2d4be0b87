"""Charts as SVG: lines, bars and a confusion matrix."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.figure import Figure

Values = Sequence[float | None] | np.ndarray
Line = tuple[Sequence[float], Values]
# Names of classes and files with `$` are no formulas; equal charts are equal bytes.
_STYLE = {"font.size": 9, "axes.titlesize": 9, "text.parse_math": False, "svg.hashsalt": "irnet"}
_DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))


@contextmanager
def style() -> Iterator[None]:
    """Let matplotlib draw in our style."""
    with matplotlib.rc_context(_STYLE):
        yield


@style()
def line_chart(
    lines: Mapping[str, Line], *, x_label: str, marks: Mapping[str, float] | None = None
) -> bytes:
    """Draw named lines of x and y, and named positions on the x axis; None and NaN are gaps."""
    figure = Figure((3.8, 3), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label)
    for number, (name, (x, y)) in enumerate(lines.items()):
        values = _finite(y)
        marker = "o" if np.isfinite(values).sum() == 1 else ""  # one point has no line
        dashes = _DASHES[number % len(_DASHES)]
        axes.plot(x, values, marker=marker, linestyle=dashes, label=name)
    for number, (name, position) in enumerate((marks or {}).items(), start=1):
        axes.axvline(position, color="0.3", linewidth=0.8, linestyle=_DASHES[number], label=name)
    if axes.dataLim.y0 >= 0:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.2)
    axes.locator_params(axis="x", nbins=5)
    return _with_legend(figure, [*lines, *(marks or {})])


@style()
def bar_chart(names: Sequence[str], series: Mapping[str, Values]) -> bytes:
    """Draw a bar for each row's name and each series, 0 to 1; None and NaN have none."""
    height = 0.8 + len(names) * (0.08 + 0.14 * len(series))
    figure = Figure((4.4, height), layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1.1), ylim=(len(names) - 0.5, -0.5))
    width = 0.84 / len(series)
    for number, (name, row) in enumerate(series.items()):
        values = _finite(row)
        middle = np.arange(len(names)) + (number - (len(series) - 1) / 2) * width
        bars = axes.barh(middle, values, 0.9 * width, label=name)
        words = ["" if np.isnan(value) else f"{value:.2f}" for value in values]
        axes.bar_label(bars, words, padding=2, fontsize=7)
    axes.set_yticks(range(len(names)), _short(names))
    axes.spines[["top", "right"]].set_visible(False)
    return _with_legend(figure, list(series))


@style()
def confusion_chart(names: Sequence[str], counts: np.ndarray) -> bytes:
    """Draw a confusion matrix (n, n), whose rows are true labels, in percent of each row."""
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.8 + 0.25 * len(names)
    figure = Figure((side, side), layout="constrained")
    axes = figure.add_subplot(ylabel="ground truth: 100 % a row", xlabel="predicted label")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), _short(names), rotation=90)
    axes.set_yticks(range(len(names)), _short(names))
    for row, column in np.argwhere(share >= 0.5):
        value = share[row, column]
        colour = "white" if value > 60 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=7)
    return _svg(figure)


def _finite(values: Values) -> np.ndarray:
    numbers = np.array(values, np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _short(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= 24 else f"{name[:23]}…" for name in names]


def _with_legend(figure: Figure, names: Sequence[str]) -> bytes:
    if names:
        columns = 2 if max(map(len, names)) <= 24 else 1
        figure.legend(loc="outside upper left", ncols=columns, frameon=False)
    return _svg(figure)


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
