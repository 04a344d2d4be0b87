"""Charts as SVG: lines, bars and a confusion matrix, readable in light and dark mode.

Written by hand, as a plotting library would be the program's largest dependency. The style is
embedded in each chart, so that it looks the same in a page and as a file of its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

Line = tuple[Sequence[float], Sequence[float]]

STYLE = """
svg.chart{color:#1d2433;background:#fff;font:12px system-ui,sans-serif;max-width:100%;height:auto}
svg.chart text{fill:currentColor} svg.chart .grid{stroke:currentColor;opacity:.15}
svg.chart .halo{paint-order:stroke;stroke:#fff;stroke-width:4px}
svg.chart .title{font-size:14px;font-weight:600} svg.chart .line{fill:none;stroke-width:2}
svg.chart .mark{stroke:currentColor;stroke-dasharray:2 3;opacity:.8}
svg.chart .s0{--c:#c04f00} svg.chart .s1{--c:#0072b2} svg.chart .s2{--c:#00805d}
svg.chart .s3{--c:#a0599c} svg.chart .s4{--c:#7a6a00}
@media(prefers-color-scheme:dark){svg.chart{color:#e4e7ee;background:#171a21}
svg.chart .halo{stroke:#171a21}
svg.chart .s0{--c:#f5914a} svg.chart .s1{--c:#56b4e9} svg.chart .s2{--c:#2bc498}
svg.chart .s3{--c:#e29bd3} svg.chart .s4{--c:#f0e442}}
svg.chart .line{stroke:var(--c)} svg.chart .fill{fill:var(--c)}
"""
_SERIES = 5
_LEFT, _TOP = 46, 52  # of the plot area of a line chart
_DASHES = ("", "7 3", "2 2", "9 3 2 3", "4 4")


def line_chart(
    title: str,
    lines: Mapping[str, Line],
    *,
    x_label: str,
    marks: Mapping[str, float] | None = None,
    size: tuple[int, int] = (400, 260),
) -> str:
    """Draw named lines over x, from y = 0 on.

    Args:
        title: above the chart.
        lines: for each name the x and the y values; NaNs are left out.
        x_label: below the axis.
        marks: named positions on the x axis, each drawn as a vertical line.
        size: width and height, pixels.

    Returns:
        an <svg> element.
    """
    points = {name: _numbers(*line) for name, line in lines.items()}
    plane = _plane([point for line in points.values() for point in line], size)
    parts = [*plane.axes(), _text(size[0] / 2 + 16, size[1] - 8, x_label, "middle")]
    for number, line in enumerate(points.values()):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (plane.at(*point) for point in line))
        path += "h4" * (len(line) == 1)  # a single point would be invisible
        dash = _DASHES[number % _SERIES]
        if path:
            parts.append(
                f'<path class="line s{number % _SERIES}" stroke-dasharray="{dash}" d="M{path}"/>'
            )
    parts += [*plane.marks(marks or {}), _series_legend(list(points), _LEFT, dashed=True)]
    return _svg(title, parts, size)


@dataclass(frozen=True)
class _Plane:
    """The axes of a line chart: x from x_ticks[0] to x_high, y from 0 to y_ticks[-1]."""

    x_ticks: list[float]
    y_ticks: list[float]
    x_high: float
    size: tuple[int, int]

    @property
    def right(self) -> int:
        return self.size[0] - 14

    @property
    def bottom(self) -> int:
        return self.size[1] - 42

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x_ticks[0]) / ((self.x_high - self.x_ticks[0]) or 1)
        up = y / self.y_ticks[-1]
        return _LEFT + across * (self.right - _LEFT), self.bottom - up * (self.bottom - _TOP)

    def axes(self) -> list[str]:
        parts = []
        for tick in self.y_ticks:
            y = self.at(0, tick)[1]
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{self.right}"/>')
            parts.append(_text(_LEFT - 6, y + 4, f"{tick:g}", "end"))
        for tick in (tick for tick in self.x_ticks if tick <= self.x_high):
            parts.append(_text(self.at(tick, 0)[0], self.bottom + 16, f"{tick:g}", "middle"))
        return parts

    def marks(self, marks: Mapping[str, float]) -> list[str]:
        parts = []
        for row, (name, place) in enumerate(marks.items()):
            x = self.at(place, 0)[0]
            parts.append(f'<path class="mark" d="M{x:.1f} {_TOP}V{self.bottom}"/>')
            # The first mark's label is on its left, where there is room.
            before = place == min(marks.values()) and x > _LEFT + 80
            shift, anchor = (-4, "end") if before or x > self.right - 80 else (4, "start")
            y = self.bottom - 8 - 15 * row
            parts.append(_text(x + shift, y, name, anchor, halo=True))
        return parts


def _plane(points: Sequence[tuple[float, float]], size: tuple[int, int]) -> _Plane:
    xs, ys = [x for x, _ in points] or [0.0, 1.0], [y for _, y in points] or [1.0]
    return _Plane(ticks(min(xs), max(xs)), ticks(0.0, max(ys)), max(xs), size)


def bar_chart(
    title: str, rows: Sequence[tuple[str, str, Sequence[float]]], series: Sequence[str]
) -> str:
    """Draw a bar from 0 to 1 for each value of each row.

    Args:
        title: above the chart.
        rows: name, colour of its swatch (CSS), and a value for each series; NaN is left out.
        series: names of the values.

    Returns:
        an <svg> element.
    """
    width, left, right, top, bar = 460, 128, 408, 56, 11
    row_height = bar * len(series) + 9
    parts = [_series_legend(list(series), 14)]
    for number, (name, colour, values) in enumerate(rows):
        y = top + number * row_height
        middle = y + bar * len(series) / 2
        parts.append(
            f'<rect x="14" y="{middle - 6:.1f}" width="12" height="12" fill="{escape(colour)}" '
            'stroke="currentColor" stroke-width=".6"/>'
        )
        parts.append(_text(32, middle + 4, name))
        for place, value in enumerate(values):
            if not math.isfinite(value):
                continue
            y_bar, length = y + place * bar, value * (right - left)
            parts.append(
                f'<rect class="fill s{place % _SERIES}" x="{left}" y="{y_bar}" '
                f'width="{length:.1f}" height="{bar - 1}"/>'
            )
            parts.append(_text(left + length + 4, y_bar + bar - 2, f"{value:.2f}", size=10))
    return _svg(title, parts, (width, top + len(rows) * row_height + 6))


def confusion_chart(title: str, names: Sequence[str], matrix: np.ndarray) -> str:
    """Draw a confusion matrix, each row normalised to percent of its true pixels.

    Args:
        title: above the chart.
        names: of the labels.
        matrix: counts (n, n), rows are true labels.

    Returns:
        an <svg> element.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    left, top, cell = 112, 150, 27
    side = cell * len(names)
    parts = [_text(14, 40, "rows: ground truth; columns: predicted label; % of a row")]
    for row, name in enumerate(names):
        y = top + (row + 0.5) * cell
        x = left + (row + 0.5) * cell
        parts.append(_text(left - 6, y + 4, name, "end"))
        turned = f' transform="rotate(-60 {x:.1f} {top - 6})"'
        parts.append(f'<text x="{x:.1f}" y="{top - 6}"{turned}>{escape(name)}</text>')
        for column, other in enumerate(names):
            value = share[row, column]
            words = f"{name} labelled {other}: {100 * value:.1f} %"
            parts.append(
                f'<rect class="fill s{1 if row == column else 0}" x="{left + column * cell}" '
                f'y="{top + row * cell}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{0.05 + 0.75 * value:.2f}"><title>{escape(words)}</title></rect>'
            )
            if value >= 0.005:
                place = (left + (column + 0.5) * cell - 0.5, y + 3)
                parts.append(_text(*place, f"{100 * value:.0f}", "middle", size=10))
    return _svg(title, parts, (max(left + side + 60, 360), top + side + 14))


def ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from at most `low` to at least `high`."""
    span = (high - low) or abs(high) or 1.0
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _numbers(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    pairs = zip(xs, ys, strict=True)
    return [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]


def _series_legend(names: Sequence[str], x: float, *, dashed: bool = False) -> str:
    parts = []
    for number, name in enumerate(names):
        key = f's{number % _SERIES}"'
        if dashed:
            dash = _DASHES[number % _SERIES]
            parts.append(f'<path class="line {key} stroke-dasharray="{dash}" d="M{x:.1f} 36h22"/>')
        else:
            parts.append(f'<rect class="fill {key} x="{x:.1f}" y="31" width="22" height="9"/>')
        parts.append(_text(x + 27, 40, name))
        x += 44 + 6.6 * len(name)
    return "".join(parts)


def _text(
    x: float, y: float, words: str, anchor: str = "start", *, size: int = 12, halo: bool = False
) -> str:
    look = ' class="halo"' * halo
    look += f' text-anchor="{anchor}"' * (anchor != "start") + f' font-size="{size}"' * (size != 12)
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{escape(words)}</text>'


def _svg(title: str, parts: Sequence[str], size: tuple[int, int]) -> str:
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" aria-label="{escape(title)}">'
        f'<style>{STYLE}</style><text class="title" x="14" y="20">{escape(title)}</text>'
        f"{''.join(parts)}</svg>"
    )
