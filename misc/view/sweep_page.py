"""Measure labels over a grid of settings, and write the table and the chart: `--sweep`."""

import math
from pathlib import Path

import numpy as np

from misc.evaluate.sweep import FILES, Sweep, measure_grid
from misc.files.atomic import write_bytes
from misc.files.dataset import Dataset
from misc.run.log import logger, table
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value
from misc.view.charts import Line, line_chart
from misc.view.tables import number

MOST_LINES = 5  # of a chart: each has dashes of its own
CAUTION = (
    "Chosen on ground truth, the best is for analysis only: labels made with it would have used "
    "more than image-level supervision."
)


def run(config: Config, dataset: Dataset) -> None:
    """Write and log the table of the measures at all points, and draw their chart."""
    sweep = measure_grid(config, dataset)
    if sweep is None:
        return
    cells = [
        [*map(format_value, point.values()), *(number(value, 4) for value in row.values())]
        for point, row in zip(sweep.grid, sweep.rows, strict=True)
    ]
    words = []
    for name in main_measures(sweep):
        best = int(np.nanargmax([row[name] for row in sweep.rows]))
        at = words_of(sweep, best, but="", measure=name)
        words.append(f"Best {name} {sweep.rows[best][name]:.4f} at {at}.")
        if others := [other for other in sweep.grid[0] if other not in sweep.shaping[name]]:
            words.append(f"{name} does not depend on {' and '.join(others)}.")
    found = f"{table([[*sweep.grid[0], *sweep.rows[0]], *cells])}\n\n"
    found += "\n".join([*words, CAUTION])
    about = f"{config.chainer_eval_set}, {sweep.images} images; `--sweep '{config.sweep}'`."
    page, chart = (Path(config.sweep_dir, name) for name in FILES)
    write_bytes(page, f"# Sweep\n\n{about}\n\n{found}\n".encode())
    axis, lines = chart_lines(sweep)
    write_bytes(chart, line_chart(lines, x_label=axis))
    logger.info("%s, %s\n%s", page, chart, found)


def chart_lines(sweep: Sweep) -> tuple[str, dict[str, Line]]:
    """Return the axis, of the setting with the most values, and the main measures' lines over it.

    A line for each combination of the others, or their best one where those would be too many.
    """
    values = {
        name: list(dict.fromkeys(point[name] for point in sweep.grid)) for name in sweep.grid[0]
    }
    # Numbers first: of words, the chart shows their places in the list.
    across = max(values, key=lambda name: len(values[name]) * (SETTINGS[name].hint in (int, float)))
    is_word, axis = SETTINGS[across].hint is str, f"--{across}"
    if is_word:
        axis += f": {', '.join(f'{place} {word}' for place, word in enumerate(values[across]))}"
    every: dict[str, dict[float, float]] = {}
    best: dict[str, dict[float, float]] = {}
    for place, (point, row) in enumerate(zip(sweep.grid, sweep.rows, strict=True)):
        x = float(values[across].index(point[across]) if is_word else point[across])
        for name in main_measures(sweep):
            others = words_of(sweep, place, but=across, measure=name)
            every.setdefault(f"{name} {others}".strip(), {})[x] = row[name]
            line = best.setdefault(f"best {name}", {})
            line[x] = float(np.fmax(line.get(x, np.nan), row[name]))
    chosen = every if len(every) <= MOST_LINES else best
    return axis, {
        name: (sorted(line), [line[x] for x in sorted(line)]) for name, line in chosen.items()
    }


def main_measures(sweep: Sweep) -> list[str]:
    """Return those of mIoU and AP50 that are defined anywhere."""
    names = [name for name in ("mIoU", "AP50") if name in sweep.rows[0]]
    return [name for name in names if any(math.isfinite(row[name]) for row in sweep.rows)]


def words_of(sweep: Sweep, place: int, *, measure: str, but: str) -> str:
    """Describe the settings that shape a measure at a point of the grid."""
    point = sweep.grid[place]
    names = [name for name in sweep.shaping[measure] if name != but]
    return " ".join(f"{name} {format_value(point[name])}" for name in names)
