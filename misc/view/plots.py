"""Plots by matplotlib: lines, bars and a confusion matrix, as SVG.

Functions import matplotlib, as that takes a second. No display is needed.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = Sequence[float | None] | np.ndarray
Line = tuple[Sequence[float], Values]
_STYLE = {"font.size": 9, "axes.titlesize": 9, "text.parse_math": False, "svg.hashsalt": "irnet"}
_DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
DPI = 100


@contextmanager
def style() -> Iterator[None]:
    """Let matplotlib draw in our style; class and file names with `$` are no formulas."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float, *, constrained: bool = True) -> "Figure":
    """Return an empty figure; width and height in inches of 100 pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.set_layout_engine("constrained" if constrained else "none")
    return figure


@style()
def line_chart(
    lines: Mapping[str, Line], *, x_label: str, marks: Mapping[str, float] | None = None
) -> bytes:
    """Draw named lines over x, as SVG; NaN and None are left out.

    Args:
        lines: for each name the x and the y values.
        x_label: below the axis.
        marks: named positions on the x axis, at most four, each drawn as a vertical line.
    """
    figure = new_figure(3.8, 3)
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
    _name_lines(figure, [*lines, *(marks or {})])
    return encode(figure, "svg")


@style()
def bar_chart(names: Sequence[str], series: Mapping[str, Values]) -> bytes:
    """Draw a bar for each name and series, as SVG; NaN and None are left out.

    Args:
        names: of the rows.
        series: for each name of a series the value of each row, 0 to 1.
    """
    figure = new_figure(4.4, 0.8 + len(names) * (0.08 + 0.14 * len(series)))
    axes = figure.add_subplot(xlim=(0, 1.1), ylim=(len(names) - 0.5, -0.5))
    height = 0.84 / len(series)
    for number, (name, row) in enumerate(series.items()):
        values = _finite(row)
        middle = np.arange(len(names)) + (number - (len(series) - 1) / 2) * height
        bars = axes.barh(middle, values, 0.9 * height, label=name)
        words = ["" if np.isnan(value) else f"{value:.2f}" for value in values]
        axes.bar_label(bars, words, padding=2, fontsize=7)
    axes.set_yticks(range(len(names)), _short(names))
    axes.spines[["top", "right"]].set_visible(False)
    _name_lines(figure, list(series))
    return encode(figure, "svg")


@style()
def confusion_chart(names: Sequence[str], counts: np.ndarray) -> bytes:
    """Draw a confusion matrix, its rows normalised to percent, as SVG.

    Args:
        names: of the labels.
        counts: (n, n), rows are true labels.
    """
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.8 + 0.25 * len(names)
    figure = new_figure(side, side)
    axes = figure.add_subplot(ylabel="ground truth: 100 % a row", xlabel="predicted label")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), _short(names), rotation=90)
    axes.set_yticks(range(len(names)), _short(names))
    for row, column in np.argwhere(share >= 0.5):
        value = share[row, column]
        colour = "white" if value > 60 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=7)
    return encode(figure, "svg")


def pixels(figure: "Figure") -> np.ndarray:
    """Return a figure as uint8 (H, W, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@style()
def encode(figure: "Figure", kind: str) -> bytes:
    """Encode a figure as SVG, PNG or JPG; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _finite(values: Values) -> np.ndarray:
    """Convert to float64 (n,), NaN where there is no finite number."""
    numbers = np.array(values, np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _short(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= 24 else f"{name[:23]}…" for name in names]


def _name_lines(figure: "Figure", names: Sequence[str]) -> None:
    """Draw the legend above the plot, in two columns where the names are short."""
    if names:
        columns = 2 if max(map(len, names)) <= 24 else 1
        figure.legend(loc="outside upper left", ncols=columns, frameon=False)
