"""Evaluate the class attention maps at every threshold (METHOD sections 2 and 8)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from misc.evaluate.evaluation import instance_truth, match_found
from misc.evaluate.measures import plain, record_measures
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.instances import component_detections
from misc.metrics import (
    ImageMatches,
    average_precision,
    iou_per_class,
    join_matches,
    mean_average_precision,
    mean_iou,
    threshold_confusions,
)
from misc.run.log import logger, table
from misc.run.stage import StageFiles
from misc.run.workers import map_images
from misc.settings.config import Config

# The full curve for mIoU; connected components are slower, so theirs is coarser, most of all
# far from any CAM's best threshold.
CURVE = np.arange(0.01, 1.0, 0.01).round(2)
COMPONENT_CURVE = np.append(np.arange(0.01, 0.41, 0.02), np.arange(0.45, 1, 0.05)).round(2)
JOINED_IMAGES = 500


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU at --cam_eval_thres and over the curve; components' AP50 as a baseline.

    The components' AP50 is that at the threshold which suits them best, and beside it the one at
    the threshold of the best mIoU.
    """
    # Where truth may be missing, the components are measured on those images that have it.
    stage = StageFiles("eval_cam", config, dataset)
    ids = stage.measured_images()
    if not ids:
        return
    confusions, by_class = measure_images(
        dataset,
        CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names)),
        ids,
        np.append(CURVE, config.cam_eval_thres),
        num_workers=config.num_workers,
    )
    *curve, at_used = mean_iou(confusions)
    best = float(CURVE[np.argmax(curve)]) if np.isfinite(curve).all() else np.nan
    found = {"mIoU": at_used, "best mIoU": max(curve), "best threshold": best}
    details: dict[str, Any] = {
        "IoU": plain(iou_per_class(confusions[-1])),
        "confusion": confusions[-1].tolist(),
    }
    lines = {"mIoU": plain(np.array([CURVE, curve]))}
    precision = mean_average_precision(by_class)
    if np.isfinite(precision).all():
        highest = int(np.argmax(precision))
        lines["component AP50"] = plain(np.array([COMPONENT_CURVE, precision]))
        details["AP50"] = plain(by_class[highest])
        found |= {
            "component AP50": precision[highest],
            "component threshold": COMPONENT_CURVE[highest],
            "component AP50 at best mIoU": precision[np.argmin(abs(COMPONENT_CURVE - best))],
        }
    if np.isfinite(best):
        used = config.cam_eval_thres
        tell_curve(curve, best=best, used=used)
        details["thresholds"] = {"flag": "cam_eval_thres", "used": used, "best": best}
        details["thresholds"]["lines"] = lines
        if config.suggest_thresholds:
            suggest_thresholds(best)
    record_measures(stage, found, details)


def measure_images(
    dataset: Dataset,
    folder: CamFolder,
    ids: Sequence[str],
    thresholds: np.ndarray,
    *,
    num_workers: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Measure images' CAMs at T thresholds, and their components at those of COMPONENT_CURVE.

    Returns:
        the confusions, int64 (T, C + 1, C + 1), and AP50, float64 (len(COMPONENT_CURVE), C).
    """
    num_classes = len(dataset.class_names)
    confusions = np.zeros((len(thresholds), num_classes + 1, num_classes + 1), np.int64)
    matches: list[list[ImageMatches]] = [[] for _ in COMPONENT_CURVE]
    load = partial(evaluate_image, dataset, folder, thresholds)
    for _, (cells, counts, records) in map_images(
        ids, load, num_workers=num_workers, description="eval_cam"
    ):
        confusions.reshape(-1)[cells] += counts
        for joined, record in zip(matches, records, strict=False):
            joined.append(record)
            if len(joined) > JOINED_IMAGES:  # many small arrays would take gigabytes
                joined[:] = [join_matches(joined)]
    precision = [average_precision(joined, (0.5,), num_classes=num_classes) for joined in matches]
    return confusions, np.concatenate(precision)


def evaluate_image(
    dataset: Dataset, folder: CamFolder, thresholds: np.ndarray, image_id: str
) -> tuple[np.ndarray, np.ndarray, list[ImageMatches]]:
    """Compute an image's confusion at each threshold, and match the CAMs' components.

    Returns:
        the confusions (T, C + 1, C + 1), of which few are not 0, as places in the flat array and
        counts, int64; and a record for each of COMPONENT_CURVE, none without true instances.
    """
    truth = dataset.semantic_label(image_id)
    cams = folder.read(image_id, (truth.shape[0], truth.shape[1]))
    num_labels = len(dataset.class_names) + 1
    counts = threshold_confusions(cams.high_res, cams.keys, truth, thresholds, num_labels)
    cells = np.flatnonzero(counts)
    records: list[ImageMatches] = []
    if dataset.has_truth(image_id, kinds=("instance",)):
        instances = instance_truth(dataset, image_id)
        for threshold in COMPONENT_CURVE:
            found = component_detections(cams.high_res, cams.keys, float(threshold))
            records.append(match_found(found, instances))
    return cells, counts.reshape(-1)[cells], records


def tell_curve(curve: Sequence[float], *, best: float, used: float) -> None:
    """Log the mIoU at every fifth threshold of CURVE, and the best threshold."""
    shown = [(f"{x:.2f}", f"{y:.4f}") for x, y in zip(CURVE[4::5], curve[4::5], strict=True)]
    logger.info("mIoU by --cam_eval_thres:\n%s", table([("threshold", "mIoU"), *shown]))
    logger.info(
        "best --cam_eval_thres: %.2f with mIoU %.4f (used: %g). Chosen on ground truth, it is for "
        "analysis only: labels made with it would have used more than image-level supervision",
        best,
        max(curve),
        used,
    )


def suggest_thresholds(best: float) -> None:
    """Log the flags that follow from the background score that suits CAMs best.

    Confident foreground is 0.15 above it, confident background 0.1 below, as the published settings
    are; between 0.01 and 0.99.
    """
    foreground, background = min(best + 0.15, 0.99), max(best - 0.1, 0.01)
    logger.info(
        "suggested: --cam_eval_thres %.2f --conf_fg_thres %.2f --conf_bg_thres %.2f\n"
        "--conf_fg_thres may be 0.05 lower. The best threshold was chosen on ground truth: choose "
        "it on images that you do not report on, or say so. --sem_seg_bg_thres and "
        "--ins_seg_bg_thres do not follow from it: they cut the scores after the walk; --sweep "
        "measures labels over them",
        *(best, foreground, background),
    )
