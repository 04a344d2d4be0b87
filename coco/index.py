"""What an instances JSON holds, and where in it: a small index, so that no process holds it all.

The file is parsed once; an image's annotations are read at their bytes of the JSON.
"""

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from coco.categories import CLASS_OF, UNUSED, name_of
from coco.json_file import Element, elements


@dataclass(frozen=True, kw_only=True)
class Index:
    """The images of an instances JSON, and the places of their annotations; picklable.

    Attributes:
        path: the JSON.
        names: the images' file names, (N,) strings, in the file's order.
        numbers: the images' ids in the JSON, int64 (N,).
        sizes: their (H, W), int32 (N, 2).
        starts: int64 (N + 1,), image n has the annotations starts[n] to starts[n + 1].
        offsets: of each annotation's first byte in the JSON, int64 (M,), rising for an image.
        lengths: of each annotation in bytes, int32 (M,).
        classes: of each annotation, int16 (M,), from 0.
        crowd: whether each annotation is of a crowd, bool (M,).
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

    @cached_property
    def rows(self) -> dict[str, int]:
        """Return the number of each image by its id, the stem of its file's name."""
        return {stem(name): n for n, name in enumerate(self.names.tolist())}

    def labels(self, *, crowds: bool) -> np.ndarray:
        """Return the image-level labels of all images, bool (N, 80); crowds count or not."""
        labels = np.zeros((len(self.names), int(CLASS_OF.max()) + 1), bool)
        image = np.repeat(np.arange(len(self.names)), np.diff(self.starts))
        counted = np.ones(len(image), bool) if crowds else ~self.crowd
        labels[image[counted], self.classes[counted]] = True
        return labels

    def annotations(self, row: int) -> list[dict[str, Any]]:
        """Read the annotations of an image, in the file's order.

        Raises:
            ValueError: the file is not the one that the index was made of.
        """
        first, last = self.starts[row : row + 2].tolist()
        found = []
        with self.path.open("rb") as file:
            for offset, length in zip(
                self.offsets[first:last].tolist(), self.lengths[first:last].tolist(), strict=True
            ):
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


def make_index(path: Path) -> Index:
    """Parse an instances JSON.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is cut short or no instances JSON, names a category otherwise than COCO, has
            an image twice, an annotation of an unknown image, of an unknown category, or with run
            lengths of another size than its image's.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; it holds the annotations")
    images, annotations = _Images(path), _Annotations(path)
    sections: dict[str, Callable[[Element], None]] = {
        "images": images.add,
        "annotations": annotations.add,
        "categories": partial(_check_category, path),
    }
    seen = set[str]()
    for element in elements(path, lists=seen):
        if element.section in sections:
            sections[element.section](element)
    if not images.names or "annotations" not in seen:
        lacking = "annotations is missing" if images.names else "images is missing or empty"
        raise ValueError(
            f"{path}: no instances JSON of COCO, its list of {lacking}; it has "
            f"{', '.join(sorted(seen)) or 'no list at all'}"
        )
    names, numbers, sizes = images.checked()
    order, starts = annotations.by_image(numbers, sizes)
    return Index(
        path=path,
        names=names,
        numbers=numbers,
        sizes=sizes,
        starts=starts,
        offsets=np.array(annotations.offsets, np.int64)[order],
        lengths=np.array(annotations.lengths, np.int32)[order],
        classes=CLASS_OF[np.array(annotations.categories, np.int64)[order]],
        crowd=np.array(annotations.crowd, bool)[order],
    )


def _check_category(path: Path, element: Element) -> None:
    """Raise ValueError unless a category is COCO's of that id, or has one that COCO leaves out."""
    try:
        number, name = element.value["id"], str(element.value["name"])
        expected = name_of(number)
    except (KeyError, TypeError, IndexError) as error:
        raise _unusual(path, "a category", element, repr(error)) from error
    if expected is None or (expected and name.strip().lower() != expected):
        ours = "COCO has none of that id" if expected is None else f"COCO's is {expected!r}"
        raise ValueError(
            f"{path}: category {number} is {name!r}, {ours}; a data set of other classes is read "
            "with --dataset folder --labels FILE"
        )


class _Images:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        self.numbers, self.sizes = array("q"), array("i")

    def add(self, element: Element) -> None:
        image = element.value
        try:
            name = image["file_name"]
            self.numbers.append(image["id"])
            self.sizes.extend((image["height"], image["width"]))
        except (KeyError, TypeError, OverflowError) as error:
            raise _unusual(self.path, "an image", element, error) from error
        if not _is_file_name(name) or min(self.sizes[-2:]) < 1:
            raise _unusual(self.path, "an image", element, "file_name or size")
        self.names.append(name)

    def checked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return names, ids and sizes; ValueError where an image is there twice."""
        numbers = np.array(self.numbers, np.int64)
        stems = [stem(name) for name in self.names]
        for kind, values in (("id", numbers.tolist()), ("file name", stems)):
            (twice, count), *_ = Counter(values).most_common(1)
            if count > 1:
                raise ValueError(f"{self.path}: two images have the {kind} {twice!r}")
        return np.array(self.names), numbers, np.array(self.sizes, np.int32).reshape(-1, 2)


class _Annotations:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.offsets, self.lengths = array("q"), array("i")
        self.images, self.categories, self.crowd = array("q"), array("q"), array("b")
        # Of run lengths, with the annotation's number: one of another size than its image's
        # would be read as another mask.
        self.runs = array("q")

    def add(self, element: Element) -> None:
        annotation = element.value
        try:
            self.images.append(annotation["image_id"])
            self.categories.append(annotation["category_id"])
            self.crowd.append(bool(annotation.get("iscrowd", 0)))
            shape = annotation.get("segmentation")
            if isinstance(shape, dict):
                height, width = shape["size"]
                self.runs.extend((len(self.lengths), height, width))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise _unusual(self.path, "an annotation", element, error) from error
        self.offsets.append(element.offset)
        self.lengths.append(element.length)

    def by_image(self, numbers: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the annotations' order by image, and where each image's begin."""
        categories, images = np.array(self.categories, np.int64), np.array(self.images, np.int64)
        known = (categories > 0) & (categories < len(CLASS_OF))
        known &= CLASS_OF[np.where(known, categories, 0)] >= 0
        if not known.all():
            raise self._refused(
                int(np.argmin(known)),
                f"has the category {categories[np.argmin(known)]}; COCO's are 1 to 90 without "
                f"{', '.join(map(str, UNUSED))}; other classes are read with --dataset folder",
            )
        falling = np.argsort(numbers)
        place = np.searchsorted(numbers, images, sorter=falling).clip(max=len(numbers) - 1)
        rows = falling[place]
        strange = numbers[rows] != images
        if strange.any():
            number = int(np.argmax(strange))
            raise self._refused(number, f"is of the image {images[number]}, which is not listed")
        for number, *size in np.array(self.runs, np.int64).reshape(-1, 3).tolist():
            if size != (actual := sizes[rows[number]].tolist()):
                raise self._refused(number, f"has run lengths of {size}, its image is {actual}")
        return np.argsort(rows, kind="stable"), np.searchsorted(
            np.sort(rows), np.arange(len(numbers) + 1)
        )

    def _refused(self, number: int, reason: str) -> ValueError:
        with self.path.open("rb") as file:
            file.seek(self.offsets[number])
            found = json.loads(file.read(self.lengths[number]))
        return ValueError(f"{self.path}: the annotation {found.get('id')} {reason}")


def _is_file_name(name: Any) -> bool:
    """Return whether a name stays inside its folder and gives an id for names of outputs."""
    if not isinstance(name, str) or "\\" in name or not name.isprintable():
        return False
    path = PurePosixPath(name)
    return bool(stem(name)) and not path.is_absolute() and ".." not in name


def _unusual(path: Path, kind: str, element: Element, reason: object) -> ValueError:
    return ValueError(
        f"{path}: byte {element.offset} begins {kind} that is none of an instances JSON ({reason})"
    )
