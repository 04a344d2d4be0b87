"""The table and the chart of --sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from misc.files.atomic import write_bytes
from misc.looking.charts import Line, line_chart
from misc.measuring.measures import table
from misc.running.log import logger
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value

MOST_LINES = 5  # of a chart: each has a colour of its own
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
    head = [*grid[0], *rows[0]]
    cells = [
        [*map(format_value, point.values()), *(f"{value:.4f}" for value in row.values())]
        for point, row in zip(grid, rows, strict=True)
    ]
    best = [
        f"Best {name} {rows[at][name]:.4f} at {_words(grid[at], shaping[name])}."
        for name in _main_measures(rows)
        for at in [int(np.argmax(np.nan_to_num([row[name] for row in rows])))]
    ]
    same = [
        f"{name} does not depend on {' and '.join(others)}."
        for name in _main_measures(rows)
        if (others := [other for other in grid[0] if other not in shaping[name]])
    ]
    found = f"{table([head, *cells])}\n\n" + "\n".join([*best, *same, CAUTION])
    about = f"{config.chainer_eval_set}, {images} images; `--sweep '{config.sweep}'`."
    page = f"# Sweep\n\n{about}\n\n{found}\n"
    write_bytes(f"{config.sweep_name}.md", page.encode())
    write_bytes(f"{config.sweep_name}.svg", chart(grid, rows, shaping).encode())
    logger.info("%s.md, %s.svg\n%s", config.sweep_name, config.sweep_name, found)


def chart(grid: Sequence[Point], rows: Sequence[Row], shaping: Shaping) -> str:
    """Draw the main measures over the setting with the most values, as SVG.

    A line for each combination of the others, or their best one where those would be too many.
    """
    values = {name: {point[name] for point in grid} for name in grid[0]}
    across = max(values, key=lambda name: 0 if SETTINGS[name].hint is bool else len(values[name]))
    every: dict[str, dict[float, float]] = {}
    best: dict[str, dict[float, float]] = {}
    for point, row in zip(grid, rows, strict=True):
        place = float(point[across])
        for name in _main_measures(rows):
            others = _words(point, [other for other in shaping[name] if other != across])
            every.setdefault(f"{name} {others}".strip(), {})[place] = row[name]
            line = best.setdefault(f"best {name}", {})
            line[place] = float(np.fmax(line.get(place, np.nan), row[name]))
    chosen = every if len(every) <= MOST_LINES else best
    lines: dict[str, Line] = {
        name: (sorted(line), [line[place] for place in sorted(line)])
        for name, line in chosen.items()
    }
    width = max(480, round(sum(44 + 6.6 * len(name) for name in lines)) + 60)
    return line_chart(f"sweep: by --{across}", lines, x_label=across, size=(width, 300))


def _main_measures(rows: Sequence[Row]) -> list[str]:
    return [name for name in ("mIoU", "AP50") if name in rows[0]]


def _words(point: Point, names: Sequence[str]) -> str:
    return " ".join(f"{name} {format_value(point[name])}" for name in names)
