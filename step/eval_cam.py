"""Evaluate the class attention maps at every threshold (METHOD sections 2 and 8)."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from misc.argmax import label_map
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
    confusion,
    iou_per_class,
    mean_average_precision,
    mean_iou,
    threshold_confusions,
)
from misc.running.dataset import Dataset
from misc.running.open_dataset import evaluated_truths, open_dataset
from misc.running.plan import Plan, cam_folder, cams_need
from misc.running.workers import map_images
from misc.settings.config import Config

# The full curve for mIoU; connected components are slower, so theirs is coarser, most of all
# far from any CAM's best threshold.
CURVE = LEVELS
COMPONENT_CURVE = np.append(np.arange(0.01, 0.41, 0.02), np.arange(0.45, 1, 0.05)).round(2)


def run(config: Config) -> None:
    """Compute mIoU at --cam_eval_thres and over the curve; components' AP50 as a baseline.

    The components' AP50 is reported at the CAMs' best threshold, and at the components' own best.
    """
    dataset = open_dataset(config)
    ids = dataset.split(config.chainer_eval_set)
    folder = cam_folder(config, dataset)
    if _guesses(config, dataset, ids):
        guess_thresholds(dataset, folder, ids, num_workers=config.num_workers)
        return
    thresholds = np.append(CURVE, config.cam_eval_thres)
    num_classes = len(dataset.class_names)
    confusions = np.zeros((len(thresholds), num_classes + 1, num_classes + 1), np.int64)
    matches = [Records() for _ in COMPONENT_CURVE]
    load = partial(evaluate_image, dataset, folder, thresholds)
    for _, (counts, records) in map_images(
        ids, load, num_workers=config.num_workers, description="eval_cam"
    ):
        counts.add_to(confusions)
        for collected, image_record in zip(matches, records, strict=True):
            collected.add(image_record)

    curve = mean_iou(confusions)
    by_class = [
        average_precision(found.joined, (0.5,), num_classes=num_classes)[0] for found in matches
    ]
    component_ap50 = [float(mean_average_precision(values)) for values in by_class]
    best, best_ap = int(np.argmax(curve[:-1])), int(np.argmax(component_ap50))
    nearest = int(np.argmin(abs(COMPONENT_CURVE - CURVE[best])))
    lines = {
        "mIoU": (CURVE.tolist(), curve[:-1].tolist()),
        "component AP50": (COMPONENT_CURVE.tolist(), component_ap50),
    }
    details = {
        "IoU": plain(iou_per_class(confusions[-1])),
        "AP50": plain(by_class[nearest]),
        "confusion": confusions[-1].tolist(),
        "thresholds": threshold_details("cam_eval_thres", config.cam_eval_thres, lines),
    }
    write_details(config, "eval_cam", details)
    if config.suggest_thresholds:
        suggest_thresholds(float(CURVE[best]))
    record_measures(
        config,
        dataset,
        "eval_cam",
        {
            "mIoU": curve[-1],
            "best mIoU": curve[best],
            "best threshold": CURVE[best],
            "component AP50": component_ap50[nearest],
            "best component AP50": component_ap50[best_ap],
            "best component threshold": COMPONENT_CURVE[best_ap],
        },
    )


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read."""
    ids = dataset.split(config.chainer_eval_set)
    return Plan(
        images=ids if _guesses(config, dataset, ids) else (),
        truths=[]
        if _guesses(config, dataset, ids)
        else [evaluated_truths(config, ids, ("semantic", "instance"))],
        needs=[cams_need(config, dataset, ids)],
    )


def _guesses(config: Config, dataset: Dataset, ids: Sequence[str]) -> bool:
    """Return whether the thresholds are guessed: they are asked for, and there is no truth."""
    return config.suggest_thresholds and not dataset.with_truth(ids)


def evaluate_image(
    dataset: Dataset, folder: CamFolder, thresholds: np.ndarray, image_id: str
) -> tuple[Occurring, list[ImageMatches]]:
    """Compute an image's confusion at each threshold, and match the CAMs' components.

    Returns:
        the confusions, the last of them with the file's own background where that is kept, and a
        record for each threshold of COMPONENT_CURVE.
    """
    truth = dataset.semantic_label(image_id)
    cams = folder.read(image_id, (truth.shape[0], truth.shape[1]))
    instances = instance_truth(dataset, image_id)
    num_labels = len(dataset.class_names) + 1
    counts = threshold_confusions(cams.high_res, cams.keys, truth, thresholds, num_labels)
    if cams.background is not None:
        label = label_map(cams.high_res, cams.keys, cams.background)
        counts[-1] = confusion(label, truth, num_labels)
    records = []
    for threshold in COMPONENT_CURVE:
        found = component_detections(cams.high_res, cams.keys, float(threshold))
        records.append(match_found(found, instances))
    return Occurring.of(counts), records
