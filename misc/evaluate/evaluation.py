"""The measures of the evaluations, of labels on disk and of networks in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.evaluate.details import Confusions, network_details, semantic_details, write_details
from misc.evaluate.measures import record_measures
from misc.files.dataset import Dataset
from misc.files.labels import (
    instance_path,
    read_instance_labels,
    read_semantic_label,
    semantic_paths,
)
from misc.machine import ranks
from misc.metrics import (
    ImageMatches,
    average_precision,
    confusion,
    join_matches,
    match_detections,
    mean_average_precision,
    mean_iou,
)
from misc.run.workers import collect_images
from misc.settings.config import Config


def measure_semantic_labels(
    config: Config,
    dataset: Dataset,
    stage: str,
    ids: Sequence[str],
    folder: str | Path,
    *,
    split: str = "",
    supervision: str = "irn",
) -> None:
    """Record the mIoU of images' labels in a folder, of each class and image too."""
    mine = Confusions.of(len(dataset.class_names) + 1)
    ious = collect_images(
        ids,
        partial(count_image, dataset, folder),
        process=mine.add,
        num_workers=config.num_workers,
        description=stage,
    )
    total = np.sum(ranks.gather([mine.total]), axis=0)
    found = Confusions(total, dict(zip(ids, ious, strict=True)))

    def record() -> None:
        measures, of = {"mIoU": float(mean_iou(total))}, {"split": split}
        record_measures(config, dataset, stage, measures, supervision=supervision, **of)
        name = network_details(stage, supervision)
        write_details(config, name, semantic_details(found), **of)

    ranks.on_first(record)


def count_image(dataset: Dataset, folder: str | Path, image_id: str) -> np.ndarray:
    """Compute the confusion of an image's label in a folder, int64 (C + 1, C + 1).

    Raises:
        ValueError: the label has another size than its truth, or a value that is no class.
    """
    truth, num_labels = dataset.semantic_label(image_id), len(dataset.class_names) + 1
    label = read_semantic_label(folder, image_id)
    path = semantic_paths(folder, image_id)[0]
    _check_size(path, label.shape, truth.shape)
    if (highest := label.max(initial=0)) >= num_labels:
        raise ValueError(
            f"{path}: has the value {highest}; accepted are 0 for background and 1 to "
            f"{num_labels - 1}, a class id + 1"
        )
    return confusion(label, truth, num_labels)


def match_image(dataset: Dataset, folder: str | Path, image_id: str) -> tuple[ImageMatches, Any]:
    """Match an image's instance labels in a folder, by VOC's rule and by the data set's own.

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
    return match_found(found, truth), dataset_matches(dataset, image_id, found)


def _check_size(path: Path, size: tuple[int, ...], true_size: tuple[int, ...]) -> None:
    if size != true_size:
        raise ValueError(
            f"{path}: is {size[1]} × {size[0]} pixels, but its ground truth is {true_size[1]} × "
            f"{true_size[0]}: the labels are of other images, or were resized"
        )


@dataclass(frozen=True, kw_only=True)
class SparseConfusion:
    """An image's confusions at T thresholds, of the labels that occur in it alone.

    Of all of COCO's labels they are 81² numbers at 100 thresholds: 5 MB an image from its loader
    process to the main one.

    Attributes:
        rows: int64 (R,), the true labels.
        columns: int64 (P,), the predicted labels.
        counts: int64 (T, R, P).
    """

    rows: np.ndarray
    columns: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, confusions: np.ndarray) -> "SparseConfusion":
        """Return those of confusions int64 (T, C + 1, C + 1)."""
        rows = np.flatnonzero(confusions.any(axis=(0, 2)))
        columns = np.flatnonzero(confusions.any(axis=(0, 1)))
        return cls(rows=rows, columns=columns, counts=confusions[:, rows[:, None], columns])

    def add_to(self, total: np.ndarray) -> None:
        """Add them to confusions int64 (T, C + 1, C + 1), in place."""
        total[:, self.rows[:, None], self.columns] += self.counts


THRESHOLDS = (0.25, 0.5, 0.7, 0.75)
JOINED_IMAGES = 500


def precision_measures(records: Sequence[ImageMatches], num_classes: int) -> dict[str, float]:
    """Compute VOC's AP of masks at the four thresholds: `AP25` to `AP75`."""
    means = mean_average_precision(average_precision(records, THRESHOLDS, num_classes=num_classes))
    return {f"AP{round(100 * t)}": float(v) for t, v in zip(THRESHOLDS, means, strict=True)}


@dataclass
class MatchBuffer:
    """The records of many images, joined by hundreds: their own small arrays would take gigabytes.

    Attributes:
        joined: records of many images each, then those of the last images.
    """

    joined: list[ImageMatches] = field(default_factory=list)
    alone: int = 0  # how many of the last are of one image

    def add(self, record: ImageMatches) -> None:
        """Add the record of the next image."""
        self.joined.append(record)
        self.alone += 1
        if self.alone == JOINED_IMAGES:
            self.joined[-JOINED_IMAGES:] = [join_matches(self.joined[-JOINED_IMAGES:])]
            self.alone = 0


def instance_truth(dataset: Dataset, image_id: str) -> tuple[np.ndarray, ...]:
    """Read what an image's detections are matched to: instances and ignored regions."""
    return (*dataset.instance_label(image_id), *dataset.ignored_regions(image_id))


def match_found(found: Mapping[str, np.ndarray], truth: Sequence[np.ndarray]) -> ImageMatches:
    """Match the detections found in an image to its `instance_truth`."""
    return match_detections(found["mask"], found["score"], found["class"], *truth)


def dataset_matches(dataset: Dataset, image_id: str, found: Mapping[str, np.ndarray]) -> Any:
    """Return what the data set's own measures need of the detections found in an image."""
    return dataset.match_instances(image_id, found["mask"], found["class"], found["score"])
