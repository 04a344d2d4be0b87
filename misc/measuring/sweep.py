"""Measure labels over a grid of settings, each image once through the network: `--sweep`.

The labels of a setting are those that the label stages make with it, and so are their measures;
they are made in memory, and nothing is written but a table, a chart and what they are made with.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from misc.files.cam_files import CamFolder, require_cams
from misc.instances import separate_scores, upsampled_winners
from misc.looking.sweep_page import write_page
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.measuring.evaluation import instance_truth, match_found, precision_measures
from misc.measuring.swept import (
    check_place,
    measured_images,
    settings_of,
    shaping,
    write_record,
)
from misc.metrics import ImageMatches, confusion, mean_iou
from misc.running.dataset import Dataset
from misc.running.decisions import Decision, decision_of, instance_labels, semantic_labels
from misc.running.label_synthesis import Loaded, load_image, load_irnet
from misc.running.log import logger
from misc.running.plan import cam_folder
from misc.running.scores import Split, Walk, apply_irnet, owners_of, split_of, walk_of
from misc.running.workers import Way, map_images
from misc.settings.config import Config
from misc.settings.grid import points, read_grid

OFF = Walk(on=False, radius=0, beta=0.0, exp_times=0)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How an image's score maps are made: settings that share them differ in `Decision` alone.

    Attributes:
        power: that of the CAMs.
        walk: their propagation.
        split: the split into instances before it; None of semantic labels.
    """

    power: float
    walk: Walk
    split: Split | None

    @property
    def kind(self) -> str:
        """Return the kind of label that is made of them."""
        return "semantic" if self.split is None else "instance"


# How it is decided on which scores.
Work = Mapping[Scores, Sequence[Decision]]
# A mask array's bits and its shape, or another array and no shape.
Packed = tuple[np.ndarray, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Given:
    """What labels of an image are decided on, in the pool.

    Attributes:
        walked: propagated scores, float32 (M, 1, h, w).
        keys: int64 (K,), the image's classes.
        size: (H, W).
        pixels: the image, uint8 (H, W, 3), where a decision looks at it.
        displacement: IRNet's field, float32 (2, h, w), where a decision does.
    """

    walked: np.ndarray
    keys: np.ndarray
    size: tuple[int, int]
    pixels: np.ndarray | None
    displacement: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The inputs of an image with its ground truth, of the kinds of label that are measured.

    Attributes:
        inputs: image and CAMs.
        truth: by kind, the label map or what `instance_truth` returns; masks are packed, as they
            go to the pool.
    """

    inputs: Loaded
    truth: Mapping[str, Sequence[Packed]]

    def pin_memory(self) -> "Evaluated":
        """Pin what is copied to the device; called by the loader."""
        return replace(self, inputs=self.inputs.pin_memory())


def run(config: Config, dataset: Dataset) -> None:
    """Write the measures of --chainer_eval_set at each point of the grid --sweep.

    Raises:
        ValueError: no chosen stage's labels depend on the settings, ground truth is missing, or
            another sweep's table is at --sweep_name.
        FileNotFoundError: CAMs or IRNet's weights are missing.
    """
    axes = read_grid(str(config.sweep))
    measured = measured_images(config, dataset, axes)
    ids = list(dict.fromkeys(itertools.chain(*measured.values())))
    require_cams(config.cam_out_dir, ids)
    folder = cam_folder(config, dataset)
    compute = compute_of(config)
    model = load_irnet(config, compute)
    settings = settings_of(config, dataset, axes, measured)
    ranks.on_first(partial(check_place, config, settings))
    grid = points(axes)
    at_points = [
        {kind: scores_of(replace(config, **point), kind) for kind in measured} for point in grid
    ]
    work = work_of(found for at_point in at_points for found in at_point.values())
    logger.info(
        "%d settings, %d images: each once through IRNet, %d times through the walk",
        len(grid),
        len(ids),
        sum(scores.walk.on for scores in work),
    )
    if config.dry_run:
        return
    num_classes = len(dataset.class_names)
    results = map_images(
        ranks.share(ids),
        partial(load, dataset, folder, {kind: frozenset(of) for kind, of in measured.items()}),
        process=partial(way, model, compute, work, num_classes),
        num_workers=compute.num_workers,
        description="sweep",
    )
    values = measures_of(work, results, num_classes)
    rows = [
        {name: value for found in at_point.values() for name, value in values[found].items()}
        for at_point in at_points
    ]
    depends = {n: shaping(kind, axes) for kind, at in at_points[0].items() for n in values[at]}
    if ranks.is_first():
        write_record(config, settings)
        write_page(config, grid, rows, depends, len(ids))


def work_of(asked: Iterable[tuple[Scores, Decision]]) -> dict[Scores, list[Decision]]:
    """Return all decisions that are asked for, each once, by the scores that they are taken on."""
    work: dict[Scores, list[Decision]] = {}
    for scores, decision in asked:
        work.setdefault(scores, [])
        work[scores] += [decision] * (decision not in work[scores])
    return work


def scores_of(config: Config, kind: str) -> tuple[Scores, Decision]:
    """Return how the scores of a kind of label are made with these settings, and decided on."""
    split = split_of(config) if kind == "instance" else None
    # What is off is off with any settings, and is computed once.
    split = replace(split, small_displacement=0.0) if split and not split.on else split
    walk = walk_of(config) if config.walk else OFF
    scores = Scores(power=config.cam_power, walk=walk, split=split)
    return scores, decision_of(config, kind)


def load(
    dataset: Dataset, folder: CamFolder, measured: Mapping[str, Set[str]], image_id: str
) -> Evaluated:
    """Read an image, its CAMs and its ground truth, of the kinds that it is measured with."""
    truth = {}
    if image_id in measured.get("semantic", ()):
        truth["semantic"] = [_packed(dataset.semantic_label(image_id))]
    if image_id in measured.get("instance", ()):
        truth["instance"] = [_packed(array) for array in instance_truth(dataset, image_id)]
    return Evaluated(inputs=load_image(dataset, folder, 1, image_id), truth=truth)


def way(
    model: Any, compute: Compute, work: Work, num_classes: int, image_id: str, loaded: Evaluated
) -> Way:
    """Measure an image at every decision on all scores: network and walk here, all else pooled.

    Returns:
        for each of `work`, in its order, a confusion or an ImageMatches of each decision; None
        where the image is not measured.
    """
    inputs, found = loaded.inputs, []
    boundary, displacement = apply_irnet(model, compute, inputs.image)
    cam, field = compute.put(inputs.cam), displacement.cpu().numpy()
    asked = [scores for scores in work if scores.kind in loaded.truth]
    splits = list(dict.fromkeys(scores.split for scores in asked if scores.split is not None))
    parts: dict[Split, np.ndarray] = {}
    if splits:
        parts = dict(zip(splits, (yield partial(_split_each, splits, field)), strict=True))
    for scores, decisions in work.items():
        if scores not in asked:
            found.append([None] * len(decisions))
            continue
        maps = cam**scores.power
        if scores.split is not None:
            maps = separate_scores(maps, parts[scores.split])
        given = Given(
            walked=scores.walk(maps, boundary),
            keys=inputs.keys,
            size=inputs.size,
            pixels=inputs.pixels(decisions),
            displacement=field if any(d.gathered for d in decisions) else None,
        )
        measure = partial(MEASURE[scores.kind], num_classes=num_classes)
        found.append((yield partial(measure, given, decisions, loaded.truth[scores.kind])))
    return found


def count_semantic(
    given: Given, decisions: Sequence[Decision], packed: Sequence[Packed], *, num_classes: int
) -> list[np.ndarray]:
    """Compute the confusion of the semantic label of each decision; runs in the pool."""
    truth = _unpacked(*packed[0])
    index, best = upsampled_winners(torch.from_numpy(given.walked), given.size)
    labels = semantic_labels(index, best, given.keys, decisions, pixels=given.pixels)
    return [confusion(label, truth, num_classes + 1) for label in labels]


def match_instances(
    given: Given, decisions: Sequence[Decision], packed: Sequence[Packed], *, num_classes: int
) -> list[ImageMatches]:
    """Match the instances of each decision to the true ones; runs in the pool."""
    truth = [_unpacked(*array) for array in packed]
    index, best = upsampled_winners(torch.from_numpy(given.walked), given.size)
    owners = owners_of(given.walked, given.keys)
    labels = instance_labels(
        index, best, owners, decisions, pixels=given.pixels, displacement=given.displacement
    )
    return [match_found(instances, truth) for instances in labels]


MEASURE: Mapping[str, Callable[..., list[Any]]] = {
    "semantic": count_semantic,
    "instance": match_instances,
}


def measures_of(
    work: Work, results: Iterable[tuple[str, Any]], num_classes: int
) -> dict[tuple[Scores, Decision], dict[str, float]]:
    """Compute the measures of each decision on all scores, from what `way` returns of images.

    Each rank hands in the images of its share.
    """
    size = num_classes + 1
    counts: dict[tuple[Scores, Decision], Any] = {
        (scores, decision): np.zeros((size, size), np.int64) if scores.split is None else []
        for scores, decisions in work.items()
        for decision in decisions
    }
    for _, found in results:
        for collected, one in zip(counts.values(), itertools.chain(*found), strict=True):
            if one is not None:
                collected += [one] if isinstance(collected, list) else one
    measured = {}
    for key, collected in counts.items():
        if isinstance(collected, list):
            measured[key] = precision_measures(ranks.gather(collected), num_classes)
        else:
            measured[key] = {"mIoU": float(mean_iou(np.sum(ranks.gather([collected]), axis=0)))}
    return measured


def _split_each(splits: Sequence[Split], field: np.ndarray) -> list[np.ndarray]:
    return [split(field) for split in splits]


def _packed(array: np.ndarray) -> Packed:
    return (np.packbits(array), array.shape) if array.dtype == bool else (array, ())


def _unpacked(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if not shape:
        return array
    return np.unpackbits(array, count=math.prod(shape)).view(bool).reshape(shape)
