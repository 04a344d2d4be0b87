"""Evaluate the class attention maps at every threshold (METHOD sections 2 and 8)."""

from functools import partial
from typing import Any

import numpy as np

from misc.evaluate.details import plain, suggest_thresholds, threshold_details, write_details
from misc.evaluate.evaluation import (
    MatchBuffer,
    SparseConfusion,
    instance_truth,
    match_found,
)
from misc.evaluate.measures import record_measures
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.instances import component_detections
from misc.metrics import (
    ImageMatches,
    average_precision,
    iou_per_class,
    mean_average_precision,
    mean_iou,
    threshold_confusions,
)
from misc.run.open_dataset import cam_folder, evaluated_images
from misc.run.workers import map_images
from misc.settings.config import Config

# The full curve for mIoU; connected components are slower, so theirs is coarser, most of all
# far from any CAM's best threshold.
CURVE = np.arange(0.01, 1.0, 0.01).round(2)
COMPONENT_CURVE = np.append(np.arange(0.01, 0.41, 0.02), np.arange(0.45, 1, 0.05)).round(2)


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU at --cam_eval_thres and over the curve; components' AP50 as a baseline.

    The components' AP50 is that at the threshold which suits them best, and beside it the one at
    the threshold of the best mIoU.
    """
    # Where truth may be missing, the components are measured on those images that have it.
    kinds = ("semantic",) if dataset.may_lack_truth else ("semantic", "instance")
    ids = evaluated_images(config, dataset, kinds, stage="eval_cam")
    if not ids:
        return
    thresholds = np.append(CURVE, config.cam_eval_thres)
    num_classes = len(dataset.class_names)
    confusions = np.zeros((len(thresholds), num_classes + 1, num_classes + 1), np.int64)
    matches = [MatchBuffer() for _ in COMPONENT_CURVE]
    load = partial(evaluate_image, dataset, cam_folder(config, dataset), thresholds)
    for _, (counts, records) in map_images(
        ids, load, num_workers=config.num_workers, description="eval_cam"
    ):
        counts.add_to(confusions)
        for collected, record in zip(matches, records, strict=False):
            collected.add(record)

    curve = mean_iou(confusions)
    is_known = not np.isnan(curve).any()
    best = float(CURVE[np.argmax(curve[:-1])]) if is_known else np.nan
    found = {"mIoU": curve[-1], "best mIoU": curve[:-1].max(), "best threshold": best}
    lines = {"mIoU": (CURVE.tolist(), curve[:-1].tolist())}
    details: dict[str, Any] = {"IoU": plain(iou_per_class(confusions[-1]))}
    by_class = np.array(
        [average_precision(at.joined, (0.5,), num_classes=num_classes)[0] for at in matches]
    )
    precision = mean_average_precision(by_class)
    if not np.isnan(precision).any():
        highest = int(np.argmax(precision))
        lines["component AP50"] = (COMPONENT_CURVE.tolist(), precision.tolist())
        details["AP50"] = plain(by_class[highest])
        found |= {
            "component AP50": precision[highest],
            "component threshold": COMPONENT_CURVE[highest],
            "component AP50 at best mIoU": precision[np.argmin(abs(COMPONENT_CURVE - best))],
        }
    record_measures(config, dataset, "eval_cam", found)
    details["confusion"] = confusions[-1].tolist()
    if is_known:
        details["thresholds"] = threshold_details("cam_eval_thres", config.cam_eval_thres, lines)
        if config.suggest_thresholds:
            suggest_thresholds(best)
    write_details(config, "eval_cam", details)


def evaluate_image(
    dataset: Dataset, folder: CamFolder, thresholds: np.ndarray, image_id: str
) -> tuple[SparseConfusion, list[ImageMatches]]:
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
        return SparseConfusion.of(counts), records
    instances = instance_truth(dataset, image_id)
    for threshold in COMPONENT_CURVE:
        found = component_detections(cams.high_res, cams.keys, float(threshold))
        records.append(match_found(found, instances))
    return SparseConfusion.of(counts), records
