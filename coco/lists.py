"""COCO's splits, a user's own lists, and where their images are."""

import os
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from coco.categories import CLASS_NAMES
from coco.index import Index, make_index
from misc.files.atomic import names_in
from misc.files.id_lists import list_file, read_list
from misc.running.log import logger

SPLITS = ("train", "val")
EXPECTED_COUNTS = {
    2014: {"train": 82_783, "val": 40_504},
    2017: {"train": 118_287, "val": 5_000},
}
# Where the images of a split are met, in this order.
LAYOUTS = ("{}", "images/{}", "JPEGImages/{}", "JPEGImages", "images")

AN_ID = "an id is the name of an image's file in the JSON without its ending"


class Found(NamedTuple):
    """Where an image is listed: its split, the index of that JSON, and its number there."""

    split: str
    json: Index
    row: int


class Lists:
    """The lists of a COCO folder; picklable. Each JSON is read once, where it is first needed.

    Args:
        root: the folder.
        year: 2014 or 2017.
        only_labelled: leave images without an image-level label out of train and val.
        crowd_labels: crowds count in the image-level label.
    """

    def __init__(
        self,
        root: Path,
        *,
        year: int,
        only_labelled: bool,
        crowd_labels: bool,
    ) -> None:
        self.root, self.year = root, year
        self.only_labelled, self.crowd_labels = only_labelled, crowd_labels
        self._indices: dict[str, Index] = {}
        self._labels: dict[str, np.ndarray] = {}
        self._splits: dict[str, list[str]] = {}
        self._files: dict[str, list[str]] = {}
        if not root.is_dir():
            raise FileNotFoundError(f"--data_root {root}: no such folder")
        if not any(map(self.has, SPLITS)):
            raise FileNotFoundError(
                f"--data_root {root}: has neither {self._json('train').relative_to(root)} nor that "
                f"of val{year}; those of COCO {year} are read with --dataset coco{year % 100}"
            )

    def has(self, name: str) -> bool:
        """Return whether the annotations of train or val are there."""
        return self._json(name).is_file()

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of train, val, train2014 and so on, or of a text file of ids.

        Raises:
            FileNotFoundError: the annotations, or an image, are missing.
            ValueError: an unknown split, an id that is in no JSON, or broken annotations.
        """
        name = os.fspath(name_or_file).removesuffix(str(self.year))
        if name not in SPLITS:
            ids, source = self._listed(os.fspath(name_or_file)), os.fspath(name_or_file)
            self._check_images(ids, source)
            return ids
        if name not in self._splits:
            index, labels = self._index(name), self._label_rows(name)
            ids = list(index.rows)
            if self.only_labelled:
                ids = [ids[row] for row in np.flatnonzero(labels.any(axis=1))]
            self._log_counts(name, len(ids), labels)
            self._check_images(ids, os.fspath(index.path))
            self._splits[name] = ids
        return list(self._splits[name])

    def find(self, image_id: str) -> Found:
        """Return where an image is listed.

        Raises:
            ValueError: no JSON has the image.
        """
        for name in (*self._indices, *SPLITS):
            if name in self._indices or self.has(name):
                index = self._index(name)
                if (row := index.rows.get(image_id)) is not None:
                    return Found(name, index, row)
        raise ValueError(
            f"image {image_id!r} is not in the annotations of --data_root {self.root}; {AN_ID}"
        )

    def known(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that a JSON has."""
        left = set(ids)
        for name in filter(self.has, SPLITS):
            if left:
                left -= self._index(name).rows.keys()
        return [image_id for image_id in ids if image_id not in left]

    def _listed(self, name: str) -> list[str]:
        ids = read_list(list_file(name, splits=SPLITS))
        if strange := sorted(set(ids).difference(self.known(ids))):
            raise ValueError(
                f"{name}: {len(strange)} of {len(ids)} ids are in no annotations of --data_root "
                f"{self.root}, the first is {strange[0]!r}; {AN_ID}"
            )
        return ids

    def labels(self, ids: Sequence[str]) -> np.ndarray:
        """Return the image-level labels of images, bool (N, 80)."""
        rows = [self._label_rows(found.split)[found.row] for found in map(self.find, ids)]
        return np.array(rows, bool).reshape(len(ids), len(CLASS_NAMES))

    def folder_of(self, image_id: str) -> str:
        """Return the usual name of an image's folder, as train2014."""
        return f"{self.find(image_id).split}{self.year}"

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image, in the first layout that has it.

        Its name is that of the JSON, with or without COCO_SPLIT_ before it.
        """
        split, _, row = self.find(image_id)
        return self.root / self._files_of(split)[row]

    def sizes(self, ids: Sequence[str]) -> list[int | None]:
        """Return the size of each image's file in bytes; None where there is none."""
        places = self._places(ids)
        sizes = {folder: sizes_in(self.root / folder) for folder in dict(places)}
        return [sizes[folder].get(name) for folder, name in places]

    def all_ids(self) -> list[str]:
        """Return all images that a JSON has, with a photograph or not."""
        return [i for name in SPLITS if self.has(name) for i in self._index(name).rows]

    def is_whole(self, name: str) -> bool:
        """Return whether a split has COCO's own number of images."""
        expected = EXPECTED_COUNTS[self.year].get(name)
        return expected is not None and self.has(name) and len(self._index(name).rows) == expected

    def _json(self, name: str) -> Path:
        return self.root / "annotations" / f"instances_{name}{self.year}.json"

    def _index(self, name: str) -> Index:
        if name not in self._indices:
            index = make_index(self._json(name))
            for other in self._indices.values():
                if both := index.rows.keys() & other.rows.keys():
                    raise ValueError(f"{index.path}: {other.path} has {min(both)!r}, too")
            self._indices[name] = index
        return self._indices[name]

    def _files_of(self, name: str) -> list[str]:
        """Return the file of each image of a split, below the root, from one listing a folder."""
        if name not in self._files:
            usual = f"{name}{self.year}"
            folders = [layout.format(usual) for layout in LAYOUTS]
            listed = [os.path.split(inside) for inside in self._index(name).names.tolist()]
            inner = {str(PurePosixPath(head)) for head in {head for head, _ in listed}}
            folders += sorted(inner.difference(folders))
            there = {folder: names_in(self.root / folder) for folder in folders}
            self._files[name] = [_file(tail, there, f"COCO_{usual}_") for _, tail in listed]
        return self._files[name]

    def _places(self, ids: Sequence[str]) -> list[tuple[str, str]]:
        """Return folder, below the root, and name of the images' files."""
        return [os.path.split(self._files_of(f.split)[f.row]) for f in map(self.find, ids)]

    def _label_rows(self, name: str) -> np.ndarray:
        if name not in self._labels:
            self._labels[name] = self._index(name).labels(crowds=self.crowd_labels)
        return self._labels[name]

    def _log_counts(self, name: str, taken: int, labels: np.ndarray) -> None:
        expected = EXPECTED_COUNTS[self.year][name]
        logger.info(
            "%s%d: %d images, %d of them without a class%s",
            name,
            self.year,
            len(labels),
            len(labels) - int(labels.any(axis=1).sum()),
            f", which are left out: {taken}" if self.only_labelled else "",
        )
        if len(labels) != expected:
            logger.warning(
                "%s: has %d images, COCO %d's has %d",
                self._json(name),
                len(labels),
                self.year,
                expected,
            )

    def _check_images(self, ids: Sequence[str], source: str) -> None:
        places = self._places(ids)
        there = {folder: names_in(self.root / folder) for folder in dict(places)}
        missing = [
            i for i, (folder, name) in zip(ids, places, strict=True) if name not in there[folder]
        ]
        if missing:
            raise FileNotFoundError(
                f"{source}: {len(missing)} of {len(ids)} images are missing, the first is "
                f"{self.image_path(missing[0])}; they are looked for in "
                f"{', '.join(LAYOUTS).format(*['SPLIT'] * 3)} under --data_root"
            )


def _file(name: str, there: Mapping[str, Set[str]], prefix: str) -> str:
    """Return a file of this name, with or without the prefix; where there is none, the usual."""
    for folder, names in there.items():
        for known in (name, prefix + name, name.removeprefix(prefix)):
            if known in names:
                return f"{folder}/{known}"
    return f"{next(iter(there))}/{name}"


def sizes_in(folder: Path) -> dict[str, int]:
    """Return the size of each file of a folder; none where there is no folder."""
    try:
        return _sized(folder, folder.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return {}


@lru_cache(maxsize=8)
def _sized(folder: Path, _changed: int) -> dict[str, int]:
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
