"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import voc12
from misc.config import Config
from misc.instance_files import load_instances
from misc.instances import split_winners
from misc.levels import LEVELS, levels_path, load_levels
from misc.log import logger
from misc.metrics import (
    ImageMatches,
    average_precision,
    average_precision_spread,
    match_detections,
    mean_average_precision,
)
from misc.plan import Plan, made_by
from misc.workers import map_images
from step.common import evaluated_truths, open_dataset, record_measures
from step.details import plain, threshold_details, write_details
from step.label_synthesis import instance_path, read_instance_labels

THRESHOLDS = (0.25, 0.5, 0.7, 0.75)
CURVE = range(4, len(LEVELS), 5)  # every fifth level: 0.05, 0.10, …


def run(config: Config) -> None:
    """Measure AP at four thresholds, AP50's spread over orders, and its curve."""
    dataset = open_dataset(config)
    ids = dataset.split(config.chainer_eval_set)
    load = partial(match_at_levels, dataset, config.ins_seg_out_dir)
    results = map_images(ids, load, num_workers=config.num_workers, description="eval_ins_seg")
    records, by_level = zip(*(result for _, result in results), strict=True)
    num_classes = len(dataset.class_names)
    by_class = average_precision(records, (0.5,), num_classes=num_classes)[0]
    spread = average_precision_spread(records, num_classes=num_classes)
    details: dict[str, Any] = {"AP50": plain(by_class)}
    missing = sum(not levels for levels in by_level)
    if missing:
        logger.info(
            "no curve over --ins_seg_bg_thres: %d images have no score levels, which "
            "make_ins_seg_labels writes for the images of --chainer_eval_set",
            missing,
        )
    else:
        lines = curves(by_level, num_classes)
        details["thresholds"] = threshold_details(
            "ins_seg_bg_thres", config.ins_seg_bg_thres, lines
        )
    write_details(config, "eval_ins_seg", details)
    record_measures(
        config,
        "eval_ins_seg",
        {
            **precision_measures(records, num_classes),
            "AP50 smallest of 10 orders": spread["min"],
            "AP50 largest of 10 orders": spread["max"],
        },
    )


def precision_measures(records: Sequence[ImageMatches], num_classes: int) -> dict[str, float]:
    """Compute VOC's AP of masks at the four thresholds: `AP25` to `AP75`."""
    means = mean_average_precision(average_precision(records, THRESHOLDS, num_classes=num_classes))
    return {f"AP{round(100 * t)}": float(v) for t, v in zip(THRESHOLDS, means, strict=True)}


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read."""
    ids = dataset.split(config.chainer_eval_set)
    paths = [instance_path(config.ins_seg_out_dir, image_id) for image_id in ids]
    need = made_by("ins_seg_out_dir", "make_ins_seg", paths, load_instances)
    return Plan(truths=[evaluated_truths(config, ids, ("instance",))], needs=[need])


def match_image(dataset: voc12.Dataset, folder: str | Path, image_id: str) -> ImageMatches:
    """Match an image's detections to its ground truth."""
    found = read_instance_labels(folder, image_id)
    return _match(found, *dataset.instance_label(image_id))


def match_at_levels(
    dataset: voc12.Dataset, folder: str | Path, image_id: str
) -> tuple[ImageMatches, list[ImageMatches]]:
    """Match an image's detections to its ground truth, and those at each level of CURVE.

    The second is empty where the image has no score levels.
    """
    labels = read_instance_labels(folder, image_id)
    truth = dataset.instance_label(image_id)
    record = _match(labels, *truth)
    if not levels_path(folder, image_id).is_file():
        return record, []
    levels = load_levels(levels_path(folder, image_id))
    found = [split_winners(levels.winners(n), levels.peaks, levels.classes) for n in CURVE]
    return record, [_match(detections, *truth) for detections in found]


def curves(
    by_level: Sequence[Sequence[ImageMatches]], num_classes: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Give AP50, AP25 and AP70 over the levels of CURVE, from each image's records there."""
    ious = {"AP50": 0.5, "AP25": 0.25, "AP70": 0.7}
    means = [
        mean_average_precision(
            average_precision(records, tuple(ious.values()), num_classes=num_classes)
        )
        for records in zip(*by_level, strict=True)
    ]
    thresholds = [float(LEVELS[number]) for number in CURVE]
    return {name: (thresholds, [float(row[i]) for row in means]) for i, name in enumerate(ious)}


def _match(found: Mapping[str, np.ndarray], masks: np.ndarray, classes: np.ndarray) -> ImageMatches:
    return match_detections(found["mask"], found["score"], found["class"], masks, classes)
