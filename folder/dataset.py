"""A folder of photographs as a data set."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from folder.coco_masks import CocoMasks
from folder.index import Index, read_index
from folder.masks import Masks, open_masks
from folder.splits import split
from misc.files import dataset
from misc.files.dataset import KINDS
from misc.files.digests import content_digest
from misc.files.id_lists import image_in, list_file, read_list
from misc.files.images import read_photograph
from misc.files.palette import voc_palette
from misc.settings.config import Config


class Dataset(dataset.Dataset):
    """Photographs in a tree of folders; images without a label are left out.

    Args:
        root: the folder.
        labels: a file of the classes of each image, in a form of folder.labels, or several with
            commas between them; None: the folders in `root` are the classes.
        class_names: a text file of the class names; None: those that occur, sorted.
        masks: a folder of masks, or a COCO JSON: the ground truth of some images.
        strict_labels: refuse labels of images that are missing, in place of a warning.
        strict_images: refuse images that cannot be read, in place of a warning.
        val_share: part of the images that are validated on.
        seed: which of them.
        limit: use only this many first images of every list.
    """

    name = "folder"
    may_lack_truth = True
    upright = True
    palette = voc_palette()

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        labels: str | os.PathLike[str] | None = None,
        class_names: str | os.PathLike[str] | None = None,
        masks: str | os.PathLike[str] | None = None,
        strict_labels: bool = False,
        strict_images: bool = False,
        val_share: float = 0.1,
        seed: int = 0,
        limit: int | None = None,
    ) -> None:
        self.root, self.limit = Path(root), limit
        given = (None if path is None else Path(path) for path in (class_names, masks))
        self._names, self._mask_root = given
        self._labels = [] if labels is None else [Path(labels)]
        if self._labels and not self._labels[0].exists():
            self._labels = list(map(Path, dict.fromkeys(os.fspath(labels or "").split(","))))
        self._strict = {"strict_labels": strict_labels, "strict_images": strict_images}
        self._val_share, self._seed = val_share, seed
        if not self.root.is_dir():
            raise FileNotFoundError(f"--data_root {self.root}: no such folder")

    @cached_property
    def _index(self) -> Index:
        return read_index(
            self.root,
            labels=self._labels,
            class_names=self._names,
            masks=self._mask_root,
            **self._strict,
        )

    @cached_property
    def _masks(self) -> Masks | CocoMasks:
        return open_masks(self._mask_root, self._index)

    @cached_property
    def class_names(self) -> Sequence[str]:  # type: ignore[override]  # known once it is read
        """Return the names of the classes, from 0."""
        return self._index.class_names

    def all_ids(self) -> list[str]:
        """Return all images that have a label."""
        return list(self._index.labels)

    def image_facts(self, image_id: str) -> str:
        """Return a digest of pieces of an image's file, and its image-level label."""
        return f"{content_digest([self.image_path(image_id)])} {self.classes(image_id)}"

    def truth_files(self, image_id: str, kind: str) -> Sequence[Path]:
        """Return the files that an image's ground truth of a kind is read from."""
        return list(self._masks.files(image_id, kind))

    @cached_property
    def _splits(self) -> dict[str, list[str]]:
        paths = {image_id: self._index.images.paths[image_id] for image_id in self._index.labels}
        return split(paths, self._index.parts, share=self._val_share, seed=self._seed)

    def split(self, name_or_file: str) -> list[str]:
        """Return the ids of train, val, all or, if there is one, test; or of a list of paths."""
        if name_or_file in self._splits:
            return self._splits[name_or_file][: self.limit]
        path, images = list_file(name_or_file, splits=list(self._splits)), self._index.images

        def parse(line: str, place: str) -> str:
            return images.only(line, place)[0] or images.only(image_in(line), place)[0] or line

        ids = [i for i in read_list(path, parse=parse) if i not in self._index.broken]
        if missing := [image_id for image_id in ids if image_id not in images.paths]:
            raise FileNotFoundError(
                f"{name_or_file}: {len(missing)} of {len(ids)} ids have no image, the first is "
                f"{missing[0]!r}; a line is a path below --data_root, with or without ending, or "
                "an id, which has no ending, and '_' for '/'"
            )
        return ids[: self.limit]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self.root / self.file_name(image_id)

    def file_name(self, image_id: str) -> str:
        """Return the path of an image's file below the folder."""
        if image_id not in self._index.images.paths:
            raise FileNotFoundError(f"--data_root {self.root}: no image has the id {image_id!r}")
        return self._index.images.paths[image_id]

    def image(self, image_id: str) -> np.ndarray:
        """Read an image, EXIF rotation applied: uint8 RGB (H, W, 3)."""
        return read_photograph(self.image_path(image_id))

    def classes(self, image_id: str) -> list[int]:
        """Return the classes of the image-level label, from 0."""
        if image_id not in self._index.labels:
            raise FileNotFoundError(f"image {image_id!r} has no image-level label")
        return list(self._index.labels[image_id])

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that have a label: one may have no class."""
        return [image_id for image_id in ids if image_id in self._index.labels]

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have masks of these kinds."""
        return [image_id for image_id in ids if self._masks.has(kinds, image_id)]

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
        return self._masks.semantic(image_id)

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0."""
        return self._masks.instances(image_id)

    def ignored_regions(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the crowds of a COCO JSON: masks, bool (M, H, W), and classes, int64 (M,)."""
        return self._masks.ignored(image_id)


def from_config(config: Config) -> Dataset:
    """Open the photographs in --data_root, with --labels, --class_names and --masks."""
    return Dataset(
        config.data_root or "",
        labels=config.labels,
        class_names=config.class_names,
        masks=config.masks,
        strict_labels=config.strict_labels,
        strict_images=config.strict_images,
        val_share=config.val_share,
        seed=config.seed,
        limit=config.limit,
    )
