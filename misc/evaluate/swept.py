"""What a sweep is: the kinds of label that it measures, on which images, and where it is kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from misc.files.atomic import write_json
from misc.files.dataset import Dataset
from misc.files.locks import hold
from misc.run.open_dataset import evaluated_images
from misc.run.records import Settings, difference_of, new_record, read_record
from misc.run.results import result_settings
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value

# By kind of label: the stage that makes it, its flag and the start of its settings' names.
KINDS = {
    "semantic": ("make_sem_seg_labels", "make_sem_seg_pass", "sem_seg"),
    "instance": ("make_ins_seg_labels", "make_ins_seg_pass", "ins_seg"),
}
Axes = Mapping[str, Sequence[Any]]


def shaping(kind: str, axes: Axes) -> list[str]:
    """Return those of the swept settings that shape labels of a kind."""
    return [name for name in axes if KINDS[kind][0] in SETTINGS[name].affects]


def measured_images(config: Config, dataset: Dataset, axes: Axes) -> dict[str, list[str]]:
    """Return the images that are measured, by the kind of label, as the evaluations measure them.

    Raises:
        ValueError: no chosen stage's labels depend on the settings, or ground truth is missing.
    """
    kinds = [k for k, (_, flag, _) in KINDS.items() if config.runs_stage(flag) and shaping(k, axes)]
    if not kinds:
        raise ValueError(
            f"--sweep {config.sweep}: shapes no labels of the chosen stages; leave their flags "
            "out, or pass --make_sem_seg_pass True or --make_ins_seg_pass True"
        )
    ids = {kind: evaluated_images(config, dataset, [kind], stage="--sweep") for kind in kinds}
    found = {kind: listed for kind, listed in ids.items() if listed}
    if not found:
        raise ValueError(
            f"--chainer_eval_set {config.chainer_eval_set}: none of its images has ground truth "
            f"({' or '.join(kinds)}), so --sweep has nothing to measure against"
        )
    return found


def settings_of(
    config: Config, dataset: Dataset, axes: Axes, ids: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Any]]:
    """Return what shapes a sweep's measures: the grid, then the labels' settings.

    Args:
        config: the settings.
        dataset: the data set.
        axes: the grid.
        ids: by kind of label, the images that are measured.
    """
    grid = " ".join(f"{name}={','.join(map(format_value, v))}" for name, v in axes.items())
    found: dict[str, dict[str, Any]] = {"sweep": {"sweep": f"{grid} of {' and '.join(ids)} labels"}}
    for kind, listed in ids.items():
        stage, _, start = KINDS[kind]
        more = ["crf"] * (f"{start}_crf" in axes)
        shaped = result_settings(config, dataset, stage, *more, ids=listed)
        own = {name: value for name, value in shaped[stage].items() if name not in axes}
        own["chainer_eval_set"] = dataset.identify(listed, truth=kind)
        found |= shaped | {stage: own}
    return found


def check_place(config: Config, settings: Settings) -> None:
    """Lock --sweep_name; check that it holds no other sweep's table, or may be replaced.

    Raises:
        ValueError: it holds a table of other settings, or one of unknown origin, which is not
            replaced.
    """
    hold(config.sweep_name)
    there = [path for path in map(Path, _pages(config)) if path.exists()]
    if not there:
        return
    record = read_record(Path(record_of(config)))
    if record is None:
        raise ValueError(
            f"--sweep_name {config.sweep_name}: {there[0]} is there, without a record of what it "
            "measured, and is not replaced, even with --overwrite True; name another place"
        )
    reason = difference_of(record, settings)
    if reason and not config.overwrite:
        raise ValueError(
            f"--sweep_name {config.sweep_name}: {there[0]} is of another sweep: {reason}; name "
            "another place, or pass --overwrite True to replace it"
        )


def write_record(config: Config, settings: Settings) -> None:
    """Write down what the table of --sweep_name is made with; before it is."""
    write_json(record_of(config), new_record(settings))


def record_of(config: Config) -> str:
    """Return the path of the record of a sweep's table."""
    return f"{config.sweep_name}.json"


def _pages(config: Config) -> list[str]:
    return [f"{config.sweep_name}{ending}" for ending in (".md", ".svg")]
