"""What a data set is to the stages: the base class of every data set."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from misc.files.digests import content_digest, file_size
from misc.files.images import read_image

# The file that `Dataset.pack` writes.
ARCHIVE = "results.tgz"
KINDS = ("semantic", "instance")


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


class Dataset:
    """Image ids (strings) in, images and labels out; picklable, opened once a command.

    A subclass has `class_names` (of the foreground, from 0), `palette` (uint8 (256, 3), RGB),
    `split`, `image_path` and `classes`; with ground truth `semantic_label`, `instance_label` and
    `with_truth`, too. All else has a default.
    Constructing one reads no list, no annotation and no image.

    Attributes:
        name: of the data set, as --dataset names it.
        limit: the number of images that every list is truncated to; None for all.
        may_lack_truth: whether measures are of those images of a list that have ground truth,
            perhaps of none; else a list that lacks some is an error.
        packed_instances: the files that `pack_instances` writes; see misc.files.outputs.
        upright: whether EXIF rotation is applied to images; else labels lie on stored pixels.
    """

    name: str
    class_names: Sequence[str]
    palette: np.ndarray
    limit: int | None = None
    may_lack_truth = False
    packed_instances: tuple[str, ...] = ()
    upright = False

    def split(self, name_or_file: str) -> list[str]:
        """Return the ids of a split or of a text file of ids, each of which has an image."""
        raise NotImplementedError

    def all_ids(self) -> list[str]:
        """Return the images of the data set, by default those of train and val."""
        return list(dict.fromkeys([*self.split("train"), *self.split("val")]))

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        raise NotImplementedError

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3)."""
        return read_image(self.image_path(image_id))

    def classes(self, image_id: str) -> list[int]:
        """Return the classes of the image-level label, from 0."""
        raise NotImplementedError

    def image_labels(self, ids: Sequence[str]) -> np.ndarray:
        """Return the image-level labels: float32 (N, C), 1 where an image shows a class, else 0."""
        labels = np.zeros((len(ids), len(self.class_names)), np.float32)
        for row, image_id in zip(labels, ids, strict=True):
            row[self.classes(image_id)] = 1
        return labels

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the images that have an image-level label, without reading it."""
        return list(ids)

    def file_name(self, image_id: str) -> str:
        """Return the name of an image's file in annotations for other programs, no other's."""
        return self.image_path(image_id).name

    def category_ids(self) -> list[int]:
        """Return the category id of each class in annotations: public ids where there are some."""
        return list(range(1, len(self.class_names) + 1))

    def image_numbers(self, ids: Sequence[str]) -> list[int]:
        """Return the number of each image in annotations: public ids where there are some."""
        return list(range(1, len(ids) + 1))

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the identity of some images, by default all, independent of where they lie.

        It has the name, the counts of images and classes, and a digest of the names of classes, the
        ids in their order, and the `image_facts`; with `truth`, one of KINDS, also a digest of the
        ground truth's files.
        """
        ids = self.all_ids() if ids is None else ids
        facts = [*self.class_names, *(f"{i} {self.image_facts(i)}" for i in ids)]
        digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
        known = f"{self.name}, {len(ids)} images, {len(self.class_names)} classes, digest {digest}"
        if not truth:
            return known
        files = dict.fromkeys(path for i in ids for path in self.truth_files(i, truth))
        return f"{known}, {truth} truth {content_digest(files)}"

    def image_facts(self, image_id: str) -> str:
        """Return what changes with an image or its image-level label: the file's size, the classes.

        It is computed of every image at every start, so it reads no large file.
        """
        classes = self.classes(image_id) if self.with_labels([image_id]) else None
        return f"{file_size(self.image_path(image_id))} {classes}"

    def truth_files(self, image_id: str, kind: str) -> Sequence[Path]:
        """Return the files that an image's ground truth of a kind is read from."""
        return ()

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on a split of the data set's own."""
        return {}

    def has_truth(self, image_id: str, *, kinds: Sequence[str] = KINDS) -> bool:
        """Return whether an image has ground truth of these kinds."""
        return bool(self.with_truth([image_id], kinds=kinds))

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the images that have ground truth of these kinds, without reading it."""
        return []

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
        raise NotImplementedError

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0.

        Crowds and groups are not among them; see `ignored_regions`.
        """
        raise NotImplementedError

    def ignored_regions(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read what is ignored in matching instances, as crowds: masks and classes, (M, …).

        Of the form of `instance_label`; where M is 0, H and W may be 0, too.
        """
        return np.zeros((0, 0, 0), bool), np.zeros(0, np.int64)

    def match_instances(
        self, image_id: str, masks: np.ndarray, classes: np.ndarray, scores: np.ndarray
    ) -> Any:
        """Return what the data set's own measures need of an image's detections; None without.

        Small and picklable, made in a worker process from masks, bool (N, H, W), classes from 0,
        int64 (N,), and scores, float32 (N,).
        """
        return None

    def instance_measures(self, matches: Sequence[Any]) -> dict[str, float]:
        """Compute the data set's own measures from each image's `match_instances`.

        Names other than `AP50` and so on, which are VOC's; empty where it has none of its own.
        """
        return {}

    def pack(self, folder: Path, ids: Sequence[str]) -> Path | None:
        """Pack the semantic labels of images in a folder as ARCHIVE for an evaluation server.

        The result is the archive's path; None where there is no server that takes one.
        """
        return None

    def pack_instances(self, folder: Path, ids: Sequence[str]) -> Path | None:
        """Write the detections of images in a folder in the form of an evaluation server.

        The result is what was written; None where there is no server that takes instances.
        """
        return None
