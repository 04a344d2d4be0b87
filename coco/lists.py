"""COCO's splits, a user's own lists, and where their images are."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coco.index import Index, make_index
from misc.files.atomic import names_in
from misc.files.id_lists import list_file, read_list

_log = logging.getLogger("irnet")
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
    """The lists of a COCO folder; each JSON is read once, where it is first needed."""

    def __init__(self, root: Path, *, year: int, only_labelled: bool, crowd_labels: bool) -> None:
        self.root, self.year = root, year
        self.only_labelled, self.crowd_labels = only_labelled, crowd_labels
        if not root.is_dir():
            raise FileNotFoundError(f"--data_root {root}: no such folder")
        jsons = {name: root / f"annotations/instances_{name}{year}.json" for name in SPLITS}
        self._jsons = {name: path for name, path in jsons.items() if path.is_file()}
        self._indices: dict[str, Index] = {}
        self._files: dict[str, dict[str, str]] = {}
        if not self._jsons:
            raise FileNotFoundError(
                f"--data_root {root}: has neither annotations/instances_train{year}.json nor that "
                f"of val{year}; those of COCO {year} are read with --dataset coco{year % 100}"
            )

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of train, val, train2014 and so on, or of a text file of ids."""
        source = os.fspath(name_or_file)
        name = source.removesuffix(str(self.year))
        if name not in SPLITS:
            ids = read_list(list_file(source, splits=SPLITS))
            if strange := sorted(set(ids).difference(self.known(ids))):
                raise ValueError(
                    f"{source}: {len(strange)} of {len(ids)} ids are in no annotations of "
                    f"--data_root {self.root}, the first is {strange[0]!r}; {AN_ID}"
                )
        else:
            index = self._index(name)
            ids, source = list(index.rows), os.fspath(index.path)
            if self.only_labelled:
                ids = [ids[row] for row in np.flatnonzero(index.labels.any(axis=1))]
        there = {image_id for each in self._jsons for image_id in self._files_of(each)}
        if missing := [image_id for image_id in ids if image_id not in there]:
            raise FileNotFoundError(
                f"{source}: {len(missing)} of {len(ids)} images are missing, the first is "
                f"{self.image_path(missing[0])}; they are looked for in "
                f"{', '.join(LAYOUTS).format(*['SPLIT'] * 3)} under --data_root"
            )
        return ids

    def find(self, image_id: str) -> Found:
        """Return where an image is listed."""
        for name in (*self._indices, *self._jsons):
            index = self._index(name)
            if (row := index.rows.get(image_id)) is not None:
                return Found(name, index, row)
        raise ValueError(
            f"image {image_id!r} is not in the annotations of --data_root {self.root}; {AN_ID}"
        )

    def known(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that a JSON has."""
        left = set(ids)
        for name in self._jsons:
            if left:
                left -= self._index(name).rows.keys()
        return [image_id for image_id in ids if image_id not in left]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image, in the first layout that has it.

        Its name is that of the JSON, with or without COCO_SPLIT_ before it.
        """
        split, index, row = self.find(image_id)
        usual = f"{split}{self.year}/{os.path.basename(index.names[row])}"
        return self.root / self._files_of(split).get(image_id, usual)

    def all_ids(self) -> list[str]:
        """Return all images that a JSON has, with a photograph or not."""
        return [image_id for name in self._jsons for image_id in self._index(name).rows]

    def is_whole(self, name: str) -> bool:
        """Return whether a split has COCO's own number of images."""
        expected = EXPECTED_COUNTS[self.year].get(name)
        return name in self._jsons and len(self._index(name).rows) == expected

    def _index(self, name: str) -> Index:
        if name not in self._indices:
            usual = self.root / f"annotations/instances_{name}{self.year}.json"
            index = make_index(self._jsons.get(name, usual), crowd_labels=self.crowd_labels)
            for other in self._indices.values():
                if both := index.rows.keys() & other.rows.keys():
                    raise ValueError(f"{index.path}: {other.path} has {min(both)!r}, too")
            self._indices[name] = index
            self._log_counts(name, index)
        return self._indices[name]

    def _log_counts(self, name: str, index: Index) -> None:
        count, labelled = len(index.labels), np.count_nonzero(index.labels.any(axis=1))
        words = f"{name}{self.year}: {count} images, {count - labelled} of them without a class"
        left_out = f", which are left out: {labelled}" if self.only_labelled else ""
        _log.info("%s%s", words, left_out)
        if count != (expected := EXPECTED_COUNTS[self.year][name]):
            words = "%s: has %d images, COCO %d's has %d"
            _log.warning(words, index.path, count, self.year, expected)

    def _files_of(self, name: str) -> dict[str, str]:
        """Return the file of each image of a split that has one, from one listing a folder."""
        if name not in self._files:
            index, usual = self._index(name), f"{name}{self.year}"
            names, prefix = index.names.tolist(), f"COCO_{usual}_"
            folders = [layout.format(usual) for layout in LAYOUTS]
            folders += sorted({os.path.dirname(inside) or "." for inside in names})
            there = {folder: names_in(self.root / folder) for folder in dict.fromkeys(folders)}
            files = {}
            for image_id, inside in zip(index.rows, names, strict=True):
                base = os.path.basename(inside)
                spellings = (base, prefix + base, base.removeprefix(prefix))
                places = (f"{f}/{s}" for f in there for s in spellings if s in there[f])
                if (place := next(places, None)) is not None:
                    files[image_id] = place
            self._files[name] = files
        return self._files[name]
