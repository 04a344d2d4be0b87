"""The table and the chart of --sweep."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from misc.files.atomic import write_bytes
from misc.run.log import logger, table
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value
from misc.view.plots import Line, line_chart
from misc.view.tables import number

MOST_LINES = 5  # of a chart: each has dashes of its own
CAUTION = (
    "Chosen on ground truth, the best is for analysis only: labels made with it would have used "
    "more than image-level supervision."
)

Point = Mapping[str, Any]
Row = Mapping[str, float]
Shaping = Mapping[str, Sequence[str]]


def write_page(
    config: Config, grid: Sequence[Point], rows: Sequence[Row], shaping: Shaping, images: int
) -> None:
    """Write and log the table of the measures at all points, and draw their chart.

    Args:
        config: the settings.
        grid: the points.
        rows: the measures at each.
        shaping: for each measure the settings that it depends on.
        images: number of images that are measured.
    """
    cells = [
        [*map(format_value, point.values()), *(number(value, 4) for value in row.values())]
        for point, row in zip(grid, rows, strict=True)
    ]
    words = []
    for name in _main_measures(rows):
        best = int(np.nanargmax([row[name] for row in rows]))
        at = _words(grid[best], shaping[name])
        words.append(f"Best {name} {rows[best][name]:.4f} at {at}.")
        if others := [other for other in grid[0] if other not in shaping[name]]:
            words.append(f"{name} does not depend on {' and '.join(others)}.")
    found = f"{table([[*grid[0], *rows[0]], *cells])}\n\n" + "\n".join([*words, CAUTION])
    about = f"{config.chainer_eval_set}, {images} images; `--sweep '{config.sweep}'`."
    write_bytes(f"{config.sweep_name}.md", f"# Sweep\n\n{about}\n\n{found}\n".encode())
    across, lines = chart_lines(grid, rows, shaping)
    write_bytes(f"{config.sweep_name}.svg", line_chart(lines, x_label=f"--{across}"))
    logger.info("%s.md, %s.svg\n%s", config.sweep_name, config.sweep_name, found)


def chart_lines(
    grid: Sequence[Point], rows: Sequence[Row], shaping: Shaping
) -> tuple[str, dict[str, Line]]:
    """Return the setting with the most values, and the lines of the main measures over it.

    A line for each combination of the others, or their best one where those would be too many.
    """
    values = {name: {point[name] for point in grid} for name in grid[0]}
    across = max(values, key=lambda name: 0 if SETTINGS[name].hint is bool else len(values[name]))
    every: dict[str, dict[float, float]] = {}
    best: dict[str, dict[float, float]] = {}
    for point, row in zip(grid, rows, strict=True):
        x = float(point[across])
        for name in _main_measures(rows):
            others = _words(point, [other for other in shaping[name] if other != across])
            every.setdefault(f"{name} {others}".strip(), {})[x] = row[name]
            line = best.setdefault(f"best {name}", {})
            line[x] = float(np.fmax(line.get(x, np.nan), row[name]))
    chosen = every if len(every) <= MOST_LINES else best
    return across, {
        name: (sorted(line), [line[x] for x in sorted(line)]) for name, line in chosen.items()
    }


def _main_measures(rows: Sequence[Row]) -> list[str]:
    """Return those of mIoU and AP50 that are defined anywhere."""
    names = [name for name in ("mIoU", "AP50") if name in rows[0]]
    return [name for name in names if any(math.isfinite(row[name]) for row in rows)]


def _words(point: Point, names: Sequence[str]) -> str:
    return " ".join(f"{name} {format_value(point[name])}" for name in names)
