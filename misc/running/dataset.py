"""The protocol of a data set: the interface that stages use, whatever --dataset is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np


class Dataset(Protocol):
    """A data set: image ids in, images and labels out; picklable.

    Attributes:
        limit: the number of images that every list is truncated to; None for all.
    """

    limit: int | None

    @property
    def class_names(self) -> Sequence[str]:
        """Return the names of the foreground classes; the index is the class id, from 0."""

    def split(self, name_or_file: str) -> list[str]:
        """Return the ids of a split or of a text file of ids, each of which has an image."""

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3)."""

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
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0."""
