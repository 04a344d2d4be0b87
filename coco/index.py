"""What an instances JSON holds, and where in it: a small index, so that no process holds it all.

The file is parsed once; an image's annotations are read at their bytes of the JSON.
"""

import json
import os
from array import array
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from coco.categories import CATEGORY_IDS, CLASS_OF, UNUSED, name_of
from coco.json_file import elements


@dataclass(frozen=True, kw_only=True)
class Index:
    """The images of an instances JSON, and the places of their annotations; picklable.

    Attributes:
        path: the JSON.
        names: the images' file names, (N,) strings, in the file's order.
        numbers: the images' ids in the JSON, int64 (N,).
        sizes: their (H, W), int64 (N, 2).
        starts: int64 (N + 1,), image n has the annotations starts[n] to starts[n + 1].
        offsets: of each annotation's first byte in the JSON, int64 (M,), rising for an image.
        lengths: of each annotation in bytes, int64 (M,).
        classes: of each annotation, int16 (M,), from 0.
        crowd: whether each annotation is of a crowd, bool (M,).
        labels: the images' image-level labels, bool (N, 80).
    """

    path: Path
    names: np.ndarray
    numbers: np.ndarray
    sizes: np.ndarray
    starts: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    labels: np.ndarray

    @cached_property
    def rows(self) -> dict[str, int]:
        """Return the number of each image by its id, the stem of its file's name."""
        return {stem(name): n for n, name in enumerate(self.names.tolist())}

    def annotated(self, row: int) -> slice:
        """Return the place of an image's annotations in the arrays."""
        return slice(*self.starts[row : row + 2].tolist())

    def size(self, row: int) -> tuple[int, int]:
        """Return an image's (H, W)."""
        height, width = self.sizes[row].tolist()
        return height, width

    def annotations(self, row: int) -> list[dict[str, Any]]:
        """Read the annotations of an image, in the file's order."""
        places, found = self.annotated(row), []
        with self.path.open("rb") as file:
            for offset, length in zip(self.offsets[places], self.lengths[places], strict=True):
                file.seek(offset)
                try:
                    found.append(json.loads(file.read(length)))
                except ValueError as error:
                    raise ValueError(
                        f"{self.path}: changed while it was used; run the same command again"
                    ) from error
        return found


def stem(name: str) -> str:
    """Return the id of an image by its file's name (a path would take seconds for 120,000)."""
    return os.path.splitext(name.rpartition("/")[2])[0]


def make_index(path: Path, *, crowd_labels: bool) -> Index:
    """Parse an instances JSON; crowds count in image-level labels or not.

    Raises:
        ValueError: it is cut short or no instances JSON, names a category otherwise than COCO, has
            an image twice, or an annotation of an unknown image or category.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; it holds the annotations")
    names, (numbers, heights, widths), annotations = _parse(path)
    for kind, values in (("id", numbers.tolist()), ("file name", map(stem, names))):
        (twice, count), *_ = Counter(values).most_common(1)
        if count > 1:
            raise ValueError(f"{path}: two images have the {kind} {twice!r}")
    images, *_ = annotations
    rising = np.argsort(numbers)
    place = np.searchsorted(numbers, images, sorter=rising).clip(max=len(numbers) - 1)
    rows = rising[place]
    for image, _, _, offset, _ in annotations.T[numbers[rows] != images].tolist():
        raise ValueError(
            f"{path}: byte {offset} begins an annotation of the image {image}, which is not listed"
        )
    order = np.argsort(rows, kind="stable")
    _, categories, crowd, offsets, lengths = annotations[:, order]
    classes = CLASS_OF[categories]
    labels = np.zeros((len(numbers), len(CATEGORY_IDS)), bool)
    counted = crowd_labels | (crowd == 0)
    labels[rows[order][counted], classes[counted]] = True
    return Index(
        path=path,
        names=np.array(names),
        numbers=numbers,
        sizes=np.stack([heights, widths], axis=1),
        starts=np.searchsorted(rows[order], np.arange(len(numbers) + 1)),
        offsets=offsets,
        lengths=lengths,
        classes=classes,
        crowd=crowd.astype(bool),
        labels=labels,
    )


def _parse(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the images' file names, and columns of int64.

    Of each image its id, height and width; of each annotation its image's id, category id, whether
    it is a crowd, offset and length.
    """
    names: list[str] = []
    images, annotations = array("q"), array("q")  # tuples would take twenty times the memory
    lists = set[str]()
    for section, offset, length, value in elements(path, lists=lists):
        try:
            if section == "images":
                names.append(_file_name(value["file_name"]))
                images.extend((int(value["id"]), int(value["height"]), int(value["width"])))
            elif section == "annotations":
                category, crowd = _known(int(value["category_id"])), bool(value.get("iscrowd", 0))
                annotations.extend((int(value["image_id"]), category, crowd, offset, length))
            elif section == "categories":
                _check_category(int(value["id"]), str(value["name"]))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            reason = error if isinstance(error, ValueError) else f"no instances JSON: {error!r}"
            raise ValueError(f"{path}: byte {offset}, one of its {section}: {reason}") from error
    if not images or "annotations" not in lists:
        lacking = "annotations is missing" if images else "images is missing or empty"
        raise ValueError(
            f"{path}: no instances JSON of COCO, its list of {lacking}; it has "
            f"{', '.join(sorted(lists)) or 'no list at all'}"
        )
    listed, annotated = np.array(images, np.int64), np.array(annotations, np.int64)
    return names, listed.reshape(-1, 3).T, annotated.reshape(-1, 5).T


def _known(category: int) -> int:
    """Return a category id; ValueError unless it is one of COCO's 80."""
    if not name_of(category):
        raise ValueError(
            f"has the category {category!r}; COCO's are 1 to 90 without "
            f"{', '.join(map(str, UNUSED))}; other classes are read with --dataset folder"
        )
    return category


def _check_category(category: int, name: str) -> None:
    """Raise ValueError unless a category is COCO's of that id, or has one that COCO leaves out."""
    expected = name_of(category)
    if expected is None or (expected and name.strip().lower() != expected):
        ours = "COCO has none of that id" if expected is None else f"COCO's is {expected!r}"
        raise ValueError(
            f"category {category} is {name!r}, {ours}; a data set of other classes is read with "
            "--dataset folder --labels FILE"
        )


def _file_name(name: Any) -> str:
    """Return an image's file name; ValueError unless it stays in its folder and gives an id."""
    leads_out = name.startswith("/") or ".." in name or "\\" in name
    if leads_out or not name.isprintable() or not stem(name):
        raise ValueError(f"no file name: {name!r}")
    return str(name)
