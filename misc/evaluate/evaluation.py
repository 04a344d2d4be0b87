"""The measures of labels in a folder: mean IoU, and average precision of instances."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.evaluate.measures import plain
from misc.files.coco_precision import CocoMatches, coco_measures, match_masks
from misc.files.dataset import Dataset
from misc.files.labels import (
    instance_path,
    label_path,
    read_instance_labels,
    read_semantic_label,
)
from misc.machine import ranks
from misc.metrics import (
    ImageMatches,
    average_precision,
    average_precision_in_orders,
    confusion,
    iou_per_class,
    match_detections,
    mean_average_precision,
    mean_iou,
)
from misc.run.workers import run_images

# Measures, and their breakdown; see `record_measures`.
Found = tuple[dict[str, float], dict[str, Any]]
THRESHOLDS = (0.25, 0.5, 0.7, 0.75)
COCO_AP = "COCO AP"


def measure_semantic_labels(
    dataset: Dataset,
    ids: Sequence[str],
    folder: str | Path,
    *,
    num_workers: int,
) -> Found:
    """Compute the mIoU of images' labels in a folder, of each class and image too."""
    num_labels = len(dataset.class_names) + 1
    mine = np.zeros((num_labels, num_labels), np.int64)

    # Added up on the way: those of COCO's 80,000 images would take 4 GB.
    def add(_: str, count: np.ndarray) -> float | None:
        mine[...] += count
        iou: float | None = plain(mean_iou(count))
        return iou

    ious = run_images(
        ids,
        partial(count_image, dataset, folder),
        process=add,
        num_workers=num_workers,
        description="measure",
    )
    total = np.sum(ranks.gather([mine]), axis=0)
    details = {
        "IoU": plain(iou_per_class(total)),
        "confusion": total.tolist(),
        "images": dict(zip(ids, ious, strict=True)),
    }
    return {"mIoU": float(mean_iou(total))}, details


def count_image(dataset: Dataset, folder: str | Path, image_id: str) -> np.ndarray:
    """Compute the confusion of an image's label in a folder, int64 (C + 1, C + 1).

    Raises:
        ValueError: the label has another size than its truth, or a value that is no class.
    """
    truth, num_labels = dataset.semantic_label(image_id), len(dataset.class_names) + 1
    label = read_semantic_label(folder, image_id)
    path = label_path(folder, image_id)
    _check_size(path, label.shape, truth.shape)
    if (highest := label.max(initial=0)) >= num_labels:
        raise ValueError(
            f"{path}: has the value {highest}; accepted are 0 for background and 1 to "
            f"{num_labels - 1}, a class id + 1"
        )
    return confusion(label, truth, num_labels)


def measure_instances(
    dataset: Dataset,
    ids: Sequence[str],
    folder: str | Path,
    *,
    num_workers: int,
    with_coco: bool = False,
) -> Found:
    """Compute the AP of images' instances in a folder: VOC's, of each class too, the data set's.

    `with_coco` adds COCO's AP; without it, how AP50 varies with the order of the images is added.
    """
    found = run_images(
        ids,
        partial(match_image, dataset, folder, with_coco),
        num_workers=num_workers,
        description="measure",
    )
    by_voc, own, by_coco = map(list, zip(*found, strict=True))
    num_classes = len(dataset.class_names)
    measures = precision_measures(by_voc, num_classes)
    in_orders = average_precision_in_orders(by_voc, (0.5,), num_classes=num_classes)[:, 0]
    if not with_coco:
        reversed_list = average_precision(by_voc[::-1], (0.5,), num_classes=num_classes)
        measures["AP50 deviation"] = mean_average_precision(in_orders).std()
        measures["AP50 of reversed list"] = mean_average_precision(reversed_list)[0]
    measures |= dataset.instance_measures(own)
    if with_coco and COCO_AP not in measures:
        measures[COCO_AP] = coco_measures(by_coco).get(COCO_AP, math.nan)
    return measures, {"AP50": plain(in_orders.mean(axis=0))}


def match_image(
    dataset: Dataset, folder: str | Path, with_coco: bool, image_id: str
) -> tuple[ImageMatches, Any, CocoMatches | None]:
    """Match an image's instances in a folder by VOC's, the data set's own, and COCO's rule.

    Raises:
        ValueError: the masks have another size than the true ones, or a class is not one of the
            data set's.
    """
    truth, count = instance_truth(dataset, image_id), len(dataset.class_names)
    found = read_instance_labels(folder, image_id)
    path = instance_path(folder, image_id)
    _check_size(path, found["mask"].shape[1:], truth[0].shape[1:])
    strange = found["class"][(found["class"] < 0) | (found["class"] >= count)]
    if strange.size:
        raise ValueError(f"{path}: has the class {strange[0]}; accepted are 0 to {count - 1}")
    own = dataset.match_instances(image_id, found["mask"], found["class"], found["score"])
    by_coco = None
    if with_coco:
        by_coco = own if isinstance(own, CocoMatches) else _coco_matches(found, *truth)
    return match_found(found, truth), own, by_coco


def precision_measures(records: Sequence[ImageMatches], num_classes: int) -> dict[str, float]:
    """Compute VOC's AP of masks at the four thresholds, `AP25` to `AP75`: means of ten orders."""
    in_orders = average_precision_in_orders(records, THRESHOLDS, num_classes=num_classes)
    means = mean_average_precision(in_orders).mean(axis=0)
    return {f"AP{round(100 * t)}": float(v) for t, v in zip(THRESHOLDS, means, strict=True)}


def instance_truth(dataset: Dataset, image_id: str) -> tuple[np.ndarray, ...]:
    """Read what an image's detections are matched to: instances and ignored regions."""
    return (*dataset.instance_label(image_id), *dataset.ignored_regions(image_id))


def match_found(found: Mapping[str, np.ndarray], truth: Sequence[np.ndarray]) -> ImageMatches:
    """Match the detections found in an image to its `instance_truth`."""
    return match_detections(found["mask"], found["score"], found["class"], *truth)


def _coco_matches(
    found: Mapping[str, np.ndarray],
    masks: np.ndarray,
    classes: np.ndarray,
    regions: np.ndarray,
    region_classes: np.ndarray,
) -> CocoMatches:
    return match_masks(
        found,
        np.concatenate([masks, regions]) if len(regions) else masks,
        np.concatenate([classes, region_classes]),
        crowd=np.arange(len(masks) + len(regions)) >= len(masks),
    )


def _check_size(path: Path, size: tuple[int, ...], true_size: tuple[int, ...]) -> None:
    if size != true_size:
        raise ValueError(
            f"{path}: is {size[1]} × {size[0]} pixels, but its ground truth is {true_size[1]} × "
            f"{true_size[0]}: the labels are of other images, or were resized"
        )
