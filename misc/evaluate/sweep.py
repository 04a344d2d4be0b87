"""Measure labels over a grid of settings, each image once through the network: `--sweep`.

The labels of a setting are those that the label stages make with it, and so are their measures;
they are made in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.evaluate.evaluation import instance_truth, match_found, precision_measures
from misc.evaluate.measures import known_measures
from misc.files.cam_files import CamFolder, find_cams
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.metrics import confusion, mean_iou
from misc.run.log import logger
from misc.run.records import check_claim, claim_folder, hold_sources
from misc.run.results import other_method, result_settings
from misc.run.stage import StageFiles, stage_named
from misc.run.synthesis import (
    STAGES,
    Inputs,
    Label,
    LabelSettings,
    apply_irnet,
    label_settings_from,
    load_inputs,
    synthesise,
)
from misc.run.workers import Way, map_images
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value
from misc.settings.grid import points, read_grid
from net.build import open_network

FILES = ("sweep.md", "sweep.svg")  # of --sweep_dir
# By kind of label, the stage that measures it as a sweep does.
EVALUATIONS = {"semantic": "eval_sem_seg", "instance": "eval_ins_seg"}
Axes = Mapping[str, Sequence[Any]]
# By kind of label, a semantic label or what `instance_truth` returns.
Truth = Mapping[str, Any]
Measured = dict[LabelSettings, Any]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep has measured.

    Attributes:
        grid: the points: the value of each setting.
        rows: the measures at each.
        shaping: for each measure the settings that it depends on.
        images: number of images that are measured.
    """

    grid: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, float]]
    shaping: Mapping[str, Sequence[str]]
    images: int


def measure_grid(config: Config, dataset: Dataset) -> Sweep | None:
    """Measure --chainer_eval_set at each point of the grid --sweep, and claim --sweep_dir.

    None where there is nothing to measure, after a dry run, and on all ranks but the first.

    Raises:
        ValueError: no chosen stage's labels depend on the settings, ground truth is missing, or
            another sweep's table is in --sweep_dir, or the CAMs are of another --cam_method.
        FileNotFoundError: CAMs or IRNet's weights are missing.
    """
    axes = read_grid(str(config.sweep))
    if problem := other_method("cam_out_dir", config.cam_out_dir, config.cam_method):
        raise ValueError(problem)
    measured = measured_images(config, dataset, axes)
    # In the order of the evaluations: equal scores are ranked by it.
    wanted = set().union(*measured.values())
    ids = [i for i in dataset.split(config.chainer_eval_set) if i in wanted]
    ranks.on_first(partial(hold_sources, [config.cam_out_dir, config.irn_weights_name]))
    folder = CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))
    for image_id in ids:
        find_cams(folder.path, image_id)  # before the first is computed
    compute = compute_of(config)
    model = open_network(config, "irn", len(dataset.class_names), compute)
    place, record = Path(config.sweep_dir), settings_of(config, dataset, axes, measured)
    ranks.on_first(partial(check_claim, place, record, overwrite=config.overwrite))
    grid = points(axes)
    at_points = [
        {kind: label_settings_from(replace(config, **point), kind) for kind in measured}
        for point in grid
    ]
    settings = list(dict.fromkeys(one for at_point in at_points for one in at_point.values()))
    logger.info(
        "%d settings, %d images: each once through IRNet, %d times through the walk",
        len(grid),
        len(ids),
        len({one.scores for one in settings if one.scores.radius}),
    )
    if config.dry_run:
        return None
    claim_folder(place, record, files=FILES, images={}, overwrite=config.overwrite)
    num_classes = len(dataset.class_names)
    results = map_images(
        ranks.share(ids),
        partial(load, dataset, folder, {kind: set(listed) for kind, listed in measured.items()}),
        process=partial(measure_image, model, compute, settings, num_classes),
        compute=compute,
        description="sweep",
    )
    values = measures_of(settings, (found for _, found in results), num_classes)
    rows = [
        {name: value for one in at_point.values() for name, value in values[one].items()}
        for at_point in at_points
    ]
    # What is NaN is so at every point: it is the ground truth that lacks an object.
    names = known_measures(rows[0], "--sweep", config.chainer_eval_set)
    if not names or not ranks.is_first():
        return None
    shaping = {
        name: _shaping(kind, axes) for kind, one in at_points[0].items() for name in values[one]
    }
    rows = [{name: row[name] for name in names} for row in rows]
    return Sweep(grid=grid, rows=rows, shaping=shaping, images=len(ids))


def measured_images(config: Config, dataset: Dataset, axes: Axes) -> dict[str, list[str]]:
    """Return the images that are measured, by the kind of label, as the evaluations measure them.

    Raises:
        ValueError: no chosen stage's labels depend on the settings, or ground truth is missing.
    """
    kinds = [
        kind
        for kind, stage in STAGES.items()
        if config.runs_stage(stage_named(stage).flag) and _shaping(kind, axes)
    ]
    if not kinds:
        raise ValueError(
            f"--sweep {config.sweep}: shapes no labels of the chosen stages; leave their flags "
            "out, or pass --make_sem_seg_pass True or --make_ins_seg_pass True"
        )
    ids = {kind: StageFiles(EVALUATIONS[kind], config, dataset).measured_images() for kind in kinds}
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
    """Return what shapes a sweep's measures: the grid, then the settings of each kind of label.

    `ids` are the images that are measured, by the kind.
    """
    grid = " ".join(f"{name}={','.join(map(format_value, v))}" for name, v in axes.items())
    found: dict[str, dict[str, Any]] = {"sweep": {"sweep": f"{grid} of {' and '.join(ids)} labels"}}
    for kind, listed in ids.items():
        stage = STAGES[kind]
        more = ["crf"] * (stage_named(stage).crf in axes)
        shaped = result_settings(StageFiles(stage, config, dataset), *more, ids=listed)
        own = {name: value for name, value in shaped[stage].items() if name not in axes}
        own["chainer_eval_set"] = dataset.identify(listed, truth=kind)
        found |= shaped | {stage: own}
    return found


def load(
    dataset: Dataset, folder: CamFolder, measured: Mapping[str, set[str]], image_id: str
) -> tuple[Inputs, Truth]:
    """Read an image, its CAMs and its ground truth, of the kinds that it is measured with."""
    truth: dict[str, Any] = {}
    if image_id in measured.get("semantic", ()):
        truth["semantic"] = dataset.semantic_label(image_id)
    if image_id in measured.get("instance", ()):
        truth["instance"] = instance_truth(dataset, image_id)
    return load_inputs(dataset, folder, image_id), truth


def measure_image(
    model: Any,
    compute: Compute,
    settings: Sequence[LabelSettings],
    num_classes: int,
    image_id: str,
    loaded: tuple[Inputs, Truth],
) -> Way:
    """Measure an image at all settings: network and walk in this process, all else in workers.

    Returns:
        a confusion or an ImageMatches for each of the settings whose kind of label is measured.
    """
    (inputs, truth), found = loaded, Measured()
    fields = apply_irnet(model, compute, inputs.image)
    groups: dict[Any, list[LabelSettings]] = {}
    for one in settings:
        if one.kind in truth:
            groups.setdefault(one.scores, []).append(one)
    # Score maps by score maps: those of all settings at once would take gigabytes.
    for group in groups.values():
        measure = partial(measure_labels, truth, num_classes)
        measures = yield from synthesise(fields, inputs, group, finish=measure)
        found |= zip(group, measures, strict=True)
    return found


def measure_labels(truth: Truth, num_classes: int, labels: Iterable[Label]) -> list[Any]:
    """Compute the confusion of each semantic label, match instances to the true ones."""
    return [
        match_found(label, truth["instance"])
        if isinstance(label, dict)
        else confusion(label, truth["semantic"], num_classes + 1)
        for label in labels
    ]


def measures_of(
    settings: Sequence[LabelSettings], results: Iterable[Measured], num_classes: int
) -> dict[LabelSettings, dict[str, float]]:
    """Compute the measures of each setting, from what `measure_image` returns of images.

    Each rank hands in the images of its share.
    """
    size = num_classes + 1
    totals = {one: np.zeros((size, size), np.int64) for one in settings if one.kind == "semantic"}
    matches: Measured = {one: [] for one in settings if one.kind == "instance"}
    for found in results:
        for one, total in totals.items():
            total += found.get(one, 0)
        for one, records in matches.items():
            # None for an image without such truth, which keeps its place among the ranks'.
            records.append(found.get(one))
    measures = {
        one: {"mIoU": float(mean_iou(np.sum(ranks.gather([total]), axis=0)))}
        for one, total in totals.items()
    }
    for one, records in matches.items():
        known = [record for record in ranks.gather(records) if record is not None]
        measures[one] = precision_measures(known, num_classes)
    return measures


def _shaping(kind: str, axes: Axes) -> list[str]:
    """Return those of the swept settings that shape labels of a kind."""
    return [name for name in axes if STAGES[kind] in SETTINGS[name].affects]
