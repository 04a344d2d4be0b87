"""Evaluate the class attention maps at every threshold (METHOD sections 2 and 8)."""

from functools import partial
from typing import Any

import numpy as np

from misc.files.cam_files import CamFolder
from misc.files.levels import LEVELS
from misc.instances import component_detections
from misc.measuring.details import plain, threshold_details, write_details
from misc.measuring.evaluation import Occurring, Records, instance_truth, match_found
from misc.measuring.measures import record_measures
from misc.measuring.thresholds import guess_thresholds, suggest_thresholds
from misc.metrics import (
    ImageMatches,
    average_precision,
    iou_per_class,
    mean_average_precision,
    mean_iou,
    threshold_confusions,
)
from misc.running.dataset import Dataset
from misc.running.open_dataset import evaluated_truths
from misc.running.plan import Plan, Truths, cam_folder, cams_need
from misc.running.truths import measured, to_measure
from misc.running.workers import map_images
from misc.settings.config import Config

# The full curve for mIoU; connected components are slower, so theirs is coarser, most of all
# far from any CAM's best threshold.
CURVE = LEVELS
COMPONENT_CURVE = np.append(np.arange(0.01, 0.41, 0.02), np.arange(0.45, 1, 0.05)).round(2)


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU at --cam_eval_thres and over the curve; components' AP50 as a baseline.

    The components' AP50 is reported at the CAMs' best threshold, and at the components' own best.
    """
    truths = _truths(config, dataset)
    folder = cam_folder(config, dataset)
    if _guesses(config, dataset, truths):
        guess_thresholds(dataset, folder, truths.ids, num_workers=config.num_workers)
        return
    ids = measured(dataset, truths, "eval_cam")
    if not ids:
        return
    thresholds = np.append(CURVE, config.cam_eval_thres)
    num_classes = len(dataset.class_names)
    confusions = np.zeros((len(thresholds), num_classes + 1, num_classes + 1), np.int64)
    matches = [Records() for _ in COMPONENT_CURVE]
    load = partial(evaluate_image, dataset, folder, thresholds)
    for _, (counts, image_records) in map_images(
        ids, load, num_workers=config.num_workers, description="eval_cam"
    ):
        counts.add_to(confusions)
        for collected, record in zip(matches, image_records, strict=False):
            collected.add(record)

    curve = mean_iou(confusions)
    best = int(np.argmax(curve[:-1]))
    found = {"mIoU": curve[-1], "best mIoU": curve[best], "best threshold": CURVE[best]}
    lines = {"mIoU": (CURVE.tolist(), curve[:-1].tolist())}
    details: dict[str, Any] = {"IoU": plain(iou_per_class(confusions[-1]))}
    if any(records.joined for records in matches):
        by_class = [
            average_precision(at.joined, (0.5,), num_classes=num_classes)[0] for at in matches
        ]
        component_ap50 = [float(mean_average_precision(values)) for values in by_class]
        lines["component AP50"] = (COMPONENT_CURVE.tolist(), component_ap50)
        nearest = int(np.argmin(abs(COMPONENT_CURVE - CURVE[best])))
        best_ap = int(np.argmax(component_ap50))
        details["AP50"] = plain(by_class[nearest])
        found |= {
            "component AP50": component_ap50[nearest],
            "best component AP50": component_ap50[best_ap],
            "best component threshold": COMPONENT_CURVE[best_ap],
        }
    details["confusion"] = confusions[-1].tolist()
    details["thresholds"] = threshold_details("cam_eval_thres", config.cam_eval_thres, lines)
    write_details(config, "eval_cam", details)
    if config.suggest_thresholds:
        suggest_thresholds(float(CURVE[best]))
    record_measures(config, dataset, "eval_cam", found)


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read."""
    truths = _truths(config, dataset)
    if _guesses(config, dataset, truths):
        return Plan(images=truths.ids, needs=[cams_need(config, dataset, truths.ids)])
    needs = [cams_need(config, dataset, to_measure(dataset, truths))]
    return Plan(truths=[truths], needs=needs)


def _truths(config: Config, dataset: Dataset) -> Truths:
    # Where truth may be missing, the components are measured on those images that have it.
    kinds = ("semantic",) if dataset.may_lack_truth else ("semantic", "instance")
    return evaluated_truths(config, dataset, kinds)


def _guesses(config: Config, dataset: Dataset, truths: Truths) -> bool:
    """Return whether the thresholds are guessed: they are asked for, and there is no truth."""
    return config.suggest_thresholds and not dataset.with_truth(truths.ids, kinds=truths.kinds)


def evaluate_image(
    dataset: Dataset, folder: CamFolder, thresholds: np.ndarray, image_id: str
) -> tuple[Occurring, list[ImageMatches]]:
    """Compute an image's confusion at each threshold, and match the CAMs' components.

    Returns:
        the confusions, and a record for each threshold of COMPONENT_CURVE; none without true
        instances.
    """
    truth = dataset.semantic_label(image_id)
    cams = folder.read(image_id, (truth.shape[0], truth.shape[1]))
    num_labels = len(dataset.class_names) + 1
    counts = threshold_confusions(cams.high_res, cams.keys, truth, thresholds, num_labels)
    records: list[ImageMatches] = []
    if not dataset.has_truth(image_id, kinds=("instance",)):
        return Occurring.of(counts), records
    instances = instance_truth(dataset, image_id)
    for threshold in COMPONENT_CURVE:
        found = component_detections(cams.high_res, cams.keys, float(threshold))
        records.append(match_found(found, instances))
    return Occurring.of(counts), records
