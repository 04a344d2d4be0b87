"""The measures of the evaluations, of labels on disk and of networks in training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files.labels import read_instance_labels, read_semantic_label
from misc.metrics import (
    ImageMatches,
    average_precision,
    confusion,
    match_detections,
    mean_average_precision,
)
from misc.running.dataset import Dataset


def count_image(dataset: Dataset, folder: str | Path, image_id: str) -> np.ndarray:
    """Compute an image's confusion matrix, int64 (C + 1, C + 1)."""
    return _count(dataset, folder, image_id, dataset.semantic_label(image_id))


def _count(dataset: Dataset, folder: str | Path, image_id: str, truth: np.ndarray) -> np.ndarray:
    return confusion(read_semantic_label(folder, image_id), truth, len(dataset.class_names) + 1)


THRESHOLDS = (0.25, 0.5, 0.7, 0.75)


def precision_measures(records: Sequence[ImageMatches], num_classes: int) -> dict[str, float]:
    """Compute VOC's AP of masks at the four thresholds: `AP25` to `AP75`."""
    means = mean_average_precision(average_precision(records, THRESHOLDS, num_classes=num_classes))
    return {f"AP{round(100 * t)}": float(v) for t, v in zip(THRESHOLDS, means, strict=True)}


def match_image(dataset: Dataset, folder: str | Path, image_id: str) -> ImageMatches:
    """Match an image's detections to its ground truth."""
    found = read_instance_labels(folder, image_id)
    return _match(found, *dataset.instance_label(image_id))


def _match(found: Mapping[str, np.ndarray], masks: np.ndarray, classes: np.ndarray) -> ImageMatches:
    return match_detections(found["mask"], found["score"], found["class"], masks, classes)
