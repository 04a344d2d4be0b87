"""Runs side by side: their measures, the settings that differ, their labels of the same images."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.evaluate.measures import read_since
from misc.files.atomic import names_in
from misc.files.dataset import Dataset
from misc.run.log import logger, table
from misc.run.open_dataset import open_dataset
from misc.run.records import read_settings
from misc.run.stage import all_stages
from misc.run.understood import spread
from misc.run.workers import map_images
from misc.settings.config import DATASETS, PRESETS, SETTINGS, Config
from misc.settings.flags import defaults
from misc.settings.settings_file import read_settings_file
from misc.view import page
from misc.view.gallery import draw_article
from misc.view.layers import Layer, label_layer, truth_layers
from misc.view.tables import latest_lines, number

Picture = tuple[np.ndarray, Layer]

# By title: the setting that names the folder of the labels.
LABELS = {"instance labels": "ins_seg_out_dir", "semantic label": "sem_seg_out_dir"}
BLANK = np.full((240, 320, 3), 255, np.uint8)
UNRANKED = ("deviation", "threshold")  # in names of measures that are not better where higher


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run to compare.

    Attributes:
        name: its folder, as the user names it.
        saved: its settings by name, as the run wrote them.
        defaults: those of its preset.
        config: its settings, with absolute output paths.
        start: the folder where it was started, which the paths of its inputs are relative to.
        dataset: its data set; None where that cannot be opened.
    """

    name: str
    saved: Mapping[str, Any]
    defaults: Mapping[str, Any]
    config: Config
    start: Path
    dataset: Dataset | None

    @cached_property
    def data(self) -> str:
        """The identity of its data; empty without a data set."""
        if self.dataset is None:
            return ""
        with chdir(self.start):
            return self.dataset.identify()

    @cached_property
    def labelled(self) -> frozenset[str]:
        """The images that it labelled; none without a data set."""
        if self.dataset is None:
            return frozenset()
        instances = names_in(Path(self.config.ins_seg_out_dir), ".npz")
        return instances | names_in(Path(self.config.sem_seg_out_dir), ".png")


def write_comparison(
    folders: Sequence[str],
    compare_file: str,
    *,
    dataset: str,
    most_images: int,
    num_workers: int,
) -> None:
    """Write a page of runs side by side, and print its tables.

    A data set of the user's own, a module, is opened if it is this `dataset`: importing runs it.

    Raises:
        FileNotFoundError: a folder is not that of a run.
        ValueError: runs are of different data sets.
    """
    runs = [read_run(folder, own_dataset=dataset) for folder in folders]
    first, *others = runs
    for run in others:
        if run.config.dataset != first.config.dataset:
            raise ValueError(
                f"--compare {run.name}: a run of {run.config.dataset}, and {first.name} is one of "
                f"{first.config.dataset}; accepted are runs of one data set"
            )
    note = f"Bold: the best of a row. In brackets: the difference to {first.name}."
    for run in others:
        if first.data and run.data and run.data != first.data:
            other = f"The images, labels or classes of {run.name} are not those of {first.name}."
            logger.warning("%s", other)
            note += f" {other}"
    measures, settings = measure_rows(runs), setting_rows(runs)
    images = choose_images(runs, most_images)
    if not images:
        logger.warning("none of the runs has labels to show")
    load = partial(draw_labels, runs)
    articles = map_images(images, load, num_workers=num_workers, description="compare")
    sections = {
        "Measures": page.paragraph(note) + page.html_table(measures[0], measures[1:]),
        "Settings": page.html_table(settings[0], settings[1:]) or page.paragraph("None differs."),
        "Labels": "\n".join(article for _, article in articles),
    }
    subtitle = f"{', '.join(folders)}; written {time.strftime('%Y-%m-%d %H:%M')}"
    page.write_page(Path(compare_file), "IRNet: runs side by side", subtitle, sections)
    logger.info("%s\n%s\n\n%s", compare_file, table(measures), table(settings))


def read_run(name: str, *, own_dataset: str) -> Run:
    """Read the settings of the last run in a folder, and open its data set."""
    folder = Path(os.path.abspath(name))
    logs = dict.fromkeys(SETTINGS["log_name"].preset(preset) for preset in PRESETS)
    paths = [folder / f"{log}.settings.json" for log in logs]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise FileNotFoundError(
            f"--compare {name}: has no {paths[0].name}, which a run writes; accepted are the "
            "--run_dir of a run, or the folder where a run without one was started"
        )
    given = read_settings_file(max(found, key=os.path.getmtime), flag="compare")
    known = {setting: given[setting] for setting in ("run_dir", "cam_method") if setting in given}
    usual = defaults(given.get("preset", SETTINGS["preset"].default), **known)
    saved = usual | given

    run_dir = Path(saved["run_dir"])
    above = folder.parts[: len(folder.parts) - len(run_dir.parts)]
    # The inputs of a run that was moved are looked for from here.
    is_moved = (*above, *run_dir.parts) != folder.parts
    start = Path.cwd() if is_moved else Path(*above)
    absolute = dict(saved)
    for setting in (setting for setting, field in SETTINGS.items() if field.is_output):
        path = Path(saved[setting])
        is_inside = path.is_relative_to(run_dir)
        place = folder / path.relative_to(run_dir) if is_inside else start / path
        absolute[setting] = str(place)
    config, dataset = Config(**absolute), None
    try:
        if config.dataset not in (*DATASETS, own_dataset):
            raise ValueError(f"if you trust its module, pass --dataset {config.dataset}, too")
        with chdir(start):
            dataset = open_dataset(config)
    except (ValueError, OSError) as error:
        logger.warning("%s: its labels are not shown: %s", name, error)
    return Run(name=name, saved=saved, defaults=usual, config=config, start=start, dataset=dataset)


def measure_rows(runs: Sequence[Run]) -> list[list[str]]:
    """Return a head, and a row for each measure: the last value of every run, the best in bold."""
    columns = []
    for run in runs:
        lines = read_since(run.config.metrics_file, 0)
        if not lines:
            logger.warning("%s: no measures in %s", run.name, run.config.metrics_file)
        columns.append({key: line["value"] for key, line in latest_lines(lines).items()})
    rows = [["stage", "measure", "split", "supervision", *(run.name for run in runs)]]
    for known in dict.fromkeys(known for column in columns for known in column):
        is_ranked = not any(word in known[1] for word in UNRANKED)
        rows.append([*known, *_value_cells([c.get(known) for c in columns], is_ranked=is_ranked)])
    return rows


def setting_rows(runs: Sequence[Run]) -> list[list[str]]:
    """Return a head, and a row for each setting that differs, with the first run's default.

    Where all runs have records of it, those count: a last command need not have made the results.
    """
    recorded = [_recorded(run) for run in runs]
    rows = [["setting", "default", *(run.name for run in runs)]]
    for name, field in SETTINGS.items():
        is_usual = field.is_output and all(run.saved[name] == run.defaults[name] for run in runs)
        if is_usual or name in ("run_dir", "overwrite") or name.endswith("_pass"):
            continue
        cells = [_words(run.saved[name]) for run in runs]
        if not field.is_output and all(name in found for found in recorded):
            cells = [found[name] for found in recorded]
        if len(set(cells)) > 1:
            rows.append([f"--{name}", _words(runs[0].defaults[name]), *cells])
    return rows


def choose_images(runs: Sequence[Run], most: int) -> list[str]:
    """Return at most so many images, spread over those that the most runs have labelled."""
    counts = Counter(image_id for run in runs for image_id in run.labelled)
    highest = max(counts.values(), default=0)
    return spread(sorted(i for i, count in counts.items() if count == highest), most)


def draw_labels(runs: Sequence[Run], image_id: str) -> str:
    """Draw an image with its ground truth, and a row of all runs' labels of each kind, as HTML."""
    head: list[Picture] = []
    rows: dict[str, list[Picture]] = {title: [] for title in LABELS}
    for run in runs:
        nothing = BLANK, Layer(title=f"{run.name}: nothing to show")
        if run.dataset is None or image_id not in run.labelled:
            for row in rows.values():
                row.append(nothing)
            continue
        with chdir(run.start):
            # Each run's own: another photograph may have this id.
            image = run.dataset.image(image_id)
            truth = truth_layers(run.dataset, image_id)
        head = head or [(image, layer) for layer in (Layer(title="image"), *truth)]
        for title, flag in LABELS.items():
            folder = Path(vars(run.config)[flag])
            layer = label_layer(f"{run.name}: {title}", folder, image_id, run.dataset)
            rows[title].append(nothing if layer is None else (image, layer))
    articles = [draw_article(image_id, head)]
    for title, row in rows.items():
        if any(image is not BLANK for image, _ in row):
            articles.append(draw_article(f"{image_id}: {title}", row))
    return "\n".join(articles)


def _value_cells(values: Sequence[float | None], *, is_ranked: bool) -> list[str]:
    """Format a measure of every run, with its difference to the first run's."""
    known = [value for value in values if value is not None]
    cells: list[str] = []
    for value in values:
        cell = number(value, 4)
        if cells and value is not None and values[0] is not None:
            cell += f" ({value - values[0]:+.4f})"
        is_best = is_ranked and value == max(known) > min(known)
        cells.append(f"**{cell}**" if is_best else cell)
    return cells


def _recorded(run: Run) -> dict[str, str]:
    """Return the settings in the records of a run's results, with the stages where they differ."""
    found: dict[str, dict[str, str]] = {}  # by setting and value: a stage
    for place in [vars(run.config)[stage.writes] for stage in all_stages() if stage.writes]:
        for stage, settings in (read_settings(place) or {}).items():
            for name, value in settings.items():
                found.setdefault(name, {}).setdefault(_words(value), stage)
    return {
        name: ", ".join(
            f"{words} ({stage})" if len(stages) > 1 else words for words, stage in stages.items()
        )
        for name, stages in found.items()
    }


def _words(value: Any) -> str:
    """Format the value of a setting, of `Config` or from JSON; 10.0 is 10."""
    items = value if isinstance(value, list | tuple) else [value]
    whole = [int(i) if isinstance(i, float) and i.is_integer() else i for i in items]
    return ",".join(map(str, whole)) or "none"
