"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import voc12
from misc.config import Config
from misc.instance_files import load_instances
from misc.metrics import (
    ImageMatches,
    average_precision,
    average_precision_spread,
    match_detections,
    mean_average_precision,
)
from misc.plan import Plan, made_by
from misc.workers import map_images
from step.common import open_dataset, record_measures
from step.label_synthesis import instance_path, read_instance_labels

THRESHOLDS = (0.25, 0.5, 0.7, 0.75)


def run(config: Config) -> None:
    """Measure AP at four thresholds, and AP50's spread over random orders of the images."""
    dataset = open_dataset(config)
    ids = dataset.split(config.chainer_eval_set)
    load = partial(match_image, dataset, config.ins_seg_out_dir)
    results = map_images(ids, load, num_workers=config.num_workers, description="eval_ins_seg")
    records = [record for _, record in results]
    num_classes = len(dataset.class_names)
    spread = average_precision_spread(records, num_classes=num_classes)
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
    return Plan(truths=ids, needs=[need])


def match_image(dataset: voc12.Dataset, folder: str | Path, image_id: str) -> ImageMatches:
    """Match an image's detections to its ground truth."""
    found = read_instance_labels(folder, image_id)
    masks, classes = dataset.instance_label(image_id)
    return match_detections(found["mask"], found["score"], found["class"], masks, classes)
