"""The protocol of a data set: the interface that stages use, whatever --dataset is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

# The file that `Dataset.pack` writes.
ARCHIVE = "results.tgz"


class Images(Protocol):
    """Images by their ids, and the classes that are known in them: all that a prediction needs."""

    @property
    def class_names(self) -> Sequence[str]:
        """Return the names of the foreground classes; the index is the class id, from 0."""

    @property
    def palette(self) -> np.ndarray:
        """Return the colour of every value of a label: uint8 (256, 3), RGB."""

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3)."""


class Dataset(Images, Protocol):
    """A data set: image ids (strings) in, images and labels out; picklable.

    Constructing one reads no list, no annotation and no image.

    Attributes:
        name: of the data set, as --dataset names it.
        limit: the number of images that every list is truncated to; None for all.
        may_lack_truth: whether measures are of those images of a list that have ground truth,
            perhaps of none; else a list that lacks some is an error.
    """

    name: str
    limit: int | None
    may_lack_truth: bool

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on a split.

        Empty where none is known, and where the split is not the data set's own.
        """

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the identity of the data set, or of some images, independent of its path.

        It has the name, the number of images and a digest of their ids and file sizes; of images
        whose ground truth is learnt from, the settings that shape this kind of it, too.

        Args:
            ids: the images; by default those of the data set.
            truth: the kind of ground truth that is learnt from, `semantic` or `instance`.
        """

    def split(self, name_or_file: str) -> list[str]:
        """Return the ids of a split or of a text file of ids, each of which has an image."""

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""

    def file_name(self, image_id: str) -> str:
        """Return the name of an image's file in annotations for other programs, no other's."""

    def image_labels(self, ids: Sequence[str]) -> np.ndarray:
        """Return the image-level labels: float32 (N, C), 1 where an image shows a class, else 0."""

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the images that have an image-level label, without reading it."""

    def has_truth(self, image_id: str, *, kinds: Sequence[str] = ("semantic", "instance")) -> bool:
        """Return whether an image has ground truth of these kinds."""

    def with_truth(
        self, ids: Sequence[str], *, kinds: Sequence[str] = ("semantic", "instance")
    ) -> list[str]:
        """Return those of the images that have ground truth of these kinds, without reading it."""

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore."""

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0.

        Crowds and groups are not among them; see `ignored_regions`.
        """

    def ignored_regions(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read what is ignored in matching instances, as crowds: masks and classes, (M, …).

        Of the form of `instance_label`; where M is 0, H and W may be 0, too.
        """

    def match_instances(
        self, image_id: str, masks: np.ndarray, classes: np.ndarray, scores: np.ndarray
    ) -> Any:
        """Return what the data set's own measures need of an image's detections.

        Small and picklable, made in a loader process; None where it has no measures of its own.

        Args:
            image_id: the image.
            masks: bool (N, H, W), the detections.
            classes: int64 (N,), their classes, from 0.
            scores: float32 (N,), their scores.
        """

    def instance_measures(self, matches: Sequence[Any]) -> dict[str, float]:
        """Compute the data set's own measures from each image's `match_instances`.

        Names other than `AP50` and so on, which are VOC's; empty where it has none of its own.
        """

    def pack(self, folder: Path, ids: Sequence[str]) -> Path | None:
        """Pack the semantic labels of images for the data set's evaluation server.

        Args:
            folder: holds the labels in the form of `misc.files.labels`; the archive is written
                into it, with the name ARCHIVE.
            ids: the images.

        Returns:
            the archive's path; None where there is no server that takes one.
        """

    def pack_instances(self, folder: Path, ids: Sequence[str]) -> Path | None:
        """Write the detections of images in the form of the data set's evaluation server.

        Args:
            folder: holds the detections in the form of `misc.files.labels`; written into it.
            ids: the images.

        Returns:
            what was written; None where there is no server that takes instances.
        """
