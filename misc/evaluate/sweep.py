"""Measure labels over a grid of settings, each image once through the network: `--sweep`.

The labels of a setting are those that the label stages make with it, and so are their measures;
they are made in memory, and nothing is written but a table, a chart and what they are made with.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from misc.evaluate.evaluation import instance_truth, match_found, precision_measures
from misc.evaluate.measures import known_measures
from misc.evaluate.swept import (
    check_place,
    measured_images,
    settings_of,
    shaping,
    write_record,
)
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.metrics import confusion, mean_iou
from misc.run.label_synthesis import Loaded, load_image
from misc.run.log import logger
from misc.run.open_dataset import cam_folder
from misc.run.records import hold_sources
from misc.run.synthesis import (
    Label,
    LabelSettings,
    apply_irnet,
    label_settings_from,
    synthesise,
)
from misc.run.workers import Way, map_images
from misc.settings.config import Config
from misc.settings.grid import points, read_grid
from misc.train.networks import load_irnet

# A mask array's bits and its shape, or another array and no shape.
Packed = tuple[np.ndarray, tuple[int, ...]]
Measured = dict[LabelSettings, Any]


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The inputs of an image with its ground truth, of the kinds of label that are measured.

    Attributes:
        inputs: image and CAMs.
        truth: by kind, the label map or what `instance_truth` returns; masks are packed, as they
            go to a worker.
    """

    inputs: Loaded
    truth: Mapping[str, Sequence[Packed]]


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
    """Measure --chainer_eval_set at each point of the grid --sweep, and write its record.

    None where there is nothing to measure, after a dry run, and on all ranks but the first.

    Raises:
        ValueError: no chosen stage's labels depend on the settings, ground truth is missing, or
            another sweep's table is at --sweep_name.
        FileNotFoundError: CAMs or IRNet's weights are missing.
    """
    axes = read_grid(str(config.sweep))
    listed = measured_images(config, dataset, axes)
    measured = {kind: set(ids) for kind, ids in listed.items()}
    # In the order of the evaluations: equal scores are ranked by it.
    wanted = set().union(*measured.values())
    ids = [i for i in dataset.split(config.chainer_eval_set) if i in wanted]
    ranks.on_first(partial(hold_sources, [config.cam_out_dir, config.irn_weights_name]))
    folder = cam_folder(config, dataset, ids)
    compute = compute_of(config)
    model = load_irnet(config, compute)
    record = settings_of(config, dataset, axes, listed)
    ranks.on_first(partial(check_place, config, record))
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
    num_classes = len(dataset.class_names)
    results = map_images(
        ranks.share(ids),
        partial(load, dataset, folder, measured),
        process=partial(measure_image, model, compute, settings, num_classes),
        num_workers=compute.num_workers,
        description="sweep",
    )
    values = measures_of(settings, (found for _, found in results), num_classes)
    rows = [
        {name: value for one in at_point.values() for name, value in values[one].items()}
        for at_point in at_points
    ]
    # What is NaN is so at every point: it is the ground truth that lacks an object.
    names = known_measures(rows[0], "--sweep", config.chainer_eval_set)
    depends = {
        name: shaping(kind, axes)
        for kind, one in at_points[0].items()
        for name in values[one]
        if name in names
    }
    if not names or not ranks.is_first():
        return None
    write_record(config, record)
    rows = [{name: row[name] for name in names} for row in rows]
    return Sweep(grid=grid, rows=rows, shaping=depends, images=len(ids))


def load(
    dataset: Dataset, folder: CamFolder, measured: Mapping[str, Set[str]], image_id: str
) -> Evaluated:
    """Read an image, its CAMs and its ground truth, of the kinds that it is measured with."""
    truth = {}
    if image_id in measured.get("semantic", ()):
        truth["semantic"] = [_packed(dataset.semantic_label(image_id))]
    if image_id in measured.get("instance", ()):
        truth["instance"] = [_packed(array) for array in instance_truth(dataset, image_id)]
    return Evaluated(inputs=load_image(dataset, folder, image_id), truth=truth)


def measure_image(
    model: Any,
    compute: Compute,
    settings: Sequence[LabelSettings],
    num_classes: int,
    image_id: str,
    loaded: Evaluated,
) -> Way:
    """Measure an image at all settings: network and walk in this process, all else in workers.

    Returns:
        a confusion or an ImageMatches for each of the settings whose kind of label is measured.
    """
    inputs, found = loaded.inputs, Measured()
    fields, cam = apply_irnet(model, compute, inputs.image), compute.put(inputs.cam)
    groups: dict[Any, list[LabelSettings]] = {}
    for one in settings:
        if one.kind in loaded.truth:
            groups.setdefault(one.scores, []).append(one)
    # Score maps by score maps: those of all settings at once would take gigabytes.
    for group in groups.values():
        measures = yield from synthesise(
            fields,
            cam,
            inputs.keys,
            inputs.size,
            image=inputs.image,
            settings=group,
            finish=partial(measure_labels, loaded.truth, num_classes),
        )
        found |= zip(group, measures, strict=True)
    return found


def measure_labels(
    truth: Mapping[str, Sequence[Packed]], num_classes: int, labels: Iterable[Label]
) -> list[Any]:
    """Compute the confusion of each semantic label, match instances to the true ones."""
    true = {kind: [_unpacked(*array) for array in arrays] for kind, arrays in truth.items()}
    return [
        match_found(label, true["instance"])
        if isinstance(label, dict)
        else confusion(label, true["semantic"][0], num_classes + 1)
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
    matches: dict[LabelSettings, list[Any]] = {
        one: [] for one in settings if one.kind == "instance"
    }
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


def _packed(array: np.ndarray) -> Packed:
    return (np.packbits(array), array.shape) if array.dtype == bool else (array, ())


def _unpacked(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if not shape:
        return array
    return np.unpackbits(array, count=math.prod(shape)).view(bool).reshape(shape)
