"""The images of an instances JSON, their files, and where in the JSON their annotations lie.

It is parsed element by element: whole, its 450 MB take gigabytes.
"""

import json
import os
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from coco.categories import CLASS_OF, NAMES, UNUSED
from misc.files.atomic import names_in

_blank = re.compile(r"[ \t\n\r]*").match
_decode = json.JSONDecoder().raw_decode
PIECE = 1 << 24  # bytes
# Where the images of a split are looked for, in this order.
LAYOUTS = ("{}", "images/{}", "JPEGImages/{}", "JPEGImages", "images")
OTHER_CLASSES = "a data set of other classes is read with --dataset folder --labels FILE"


class Image(NamedTuple):
    """An image of an instances JSON.

    Attributes:
        split: of the JSON, with its year: train2017.
        file_name: with or without folders before it.
        number: its id in the JSON.
        size: (H, W).
        annotations: int64 (A, 4), in the file's order: the first byte, the length in bytes, the
            class from 0, and 1 for a crowd.
    """

    split: str
    file_name: str
    number: int
    size: tuple[int, int]
    annotations: np.ndarray

    def classes(self, *, crowds: bool) -> list[int]:
        """Return the classes of the annotations, from 0 and rising, with or without crowds."""
        return sorted({c for c, crowd in self.annotations[:, 2:].tolist() if crowds or not crowd})


def read_instances(jsons: Mapping[str, Path]) -> dict[str, Image]:
    """Read the images of instances JSONs, given by split, in their order.

    An image's id is the stem of its file's name. What is odd in a JSON is a ValueError.
    """
    images: dict[str, Image] = {}
    for split, path in jsons.items():
        found = _read_split(path, split)
        if both := images.keys() & found.keys():
            raise ValueError(f"{path}: {jsons[images[min(both)].split]} has {min(both)!r}, too")
        images |= found
    return images


def _read_split(path: Path, split: str) -> dict[str, Image]:
    listed: dict[int, dict[str, Any]] = {}
    annotations: dict[int, array[int]] = defaultdict(partial(array, "q"))

    def take(section: str, element: dict[str, Any], offset: int, length: int) -> None:
        if section == "images":
            number = int(element["id"])
            if number in listed:
                raise ValueError(f"two images have the id {number}")
            size = int(element["height"]), int(element["width"])
            listed[number] = {"file_name": _file_name(element["file_name"]), "size": size}
        elif section == "annotations":
            category, crowd = _known(int(element["category_id"])), bool(element.get("iscrowd", 0))
            annotations[int(element["image_id"])].extend((offset, length, category, crowd))
        elif section == "categories":
            _check_category(int(element["id"]), str(element["name"]))

    lists = _read_lists(path, take)
    if not listed or "annotations" not in lists:
        lacking = "annotations is missing" if listed else "images is missing or empty"
        raise ValueError(
            f"{path}: no instances JSON of COCO, its list of {lacking}; it has "
            f"{', '.join(sorted(lists)) or 'no list at all'}"
        )
    images: dict[str, Image] = {}
    for number, known in listed.items():
        if (image_id := _stem(known["file_name"])) in images:
            raise ValueError(f"{path}: two images have the file name {image_id!r}")
        table = np.array(annotations.pop(number, ()), np.int64).reshape(-1, 4)
        images[image_id] = Image(split=split, number=number, annotations=table, **known)
    for number, left in annotations.items():
        raise ValueError(
            f"{path}: byte {left[0]} begins an annotation of the image {number}, which is not "
            "listed"
        )
    return images


def read_annotations(path: Path, image: Image) -> list[dict[str, Any]]:
    """Read the annotations of an image of an instances JSON, in the file's order."""
    with path.open("rb") as file:
        found = []
        for offset, length in image.annotations[:, :2].tolist():
            file.seek(offset)
            found.append(file.read(length))
    try:
        return [json.loads(each) for each in found]
    except ValueError as error:
        raise ValueError(
            f"{path}: changed while it was used; run the same command again"
        ) from error


def find_files(root: Path, images: Mapping[str, Image]) -> dict[str, str]:
    """Return the path below `root` of each image that has a file, in the first layout that has it.

    A folder is listed once: it may be on a network disk.
    """
    files, names_of = dict[str, str](), cache(lambda folder: names_in(root / folder))
    for image_id, image in images.items():
        inside, _, name = image.file_name.rpartition("/")
        prefix = f"COCO_{image.split}_"
        spellings = (name, prefix + name, name.removeprefix(prefix))
        folders = (*(layout.format(image.split) for layout in LAYOUTS), inside or ".")
        places = (f"{f}/{n}" for f in folders for n in spellings if n in names_of(f))
        if (place := next(places, None)) is not None:
            files[image_id] = place
    return files


def _known(category: int) -> int:
    """Return the class of a category id."""
    if not NAMES.get(category):
        raise ValueError(
            f"has the category {category!r}; COCO's are 1 to 90 without "
            f"{', '.join(map(str, UNUSED))}; other classes are read with --dataset folder"
        )
    return int(CLASS_OF[category])


def _check_category(category: int, name: str) -> None:
    expected = NAMES.get(category)
    if expected is None or (expected and name.strip().lower() != expected):
        ours = "COCO has none of that id" if expected is None else f"COCO's is {expected!r}"
        raise ValueError(f"category {category} is {name!r}, {ours}; {OTHER_CLASSES}")


def _file_name(name: Any) -> str:
    leads_out = name.startswith("/") or ".." in name or "\\" in name
    if leads_out or not name.isprintable() or not _stem(name):
        raise ValueError(f"no file name: {name!r}")
    return str(name)


def _stem(name: str) -> str:
    return os.path.splitext(name.rpartition("/")[2])[0]  # pathlib takes seconds for 120,000


def _read_lists(path: Path, take: Callable[[str, Any, int, int], None]) -> set[str]:
    """Call `take` with the elements of all lists in a JSON's outer object; return the lists' names.

    It is called with a list's name, an element, the element's first byte, and its length.
    """
    names = set()
    with path.open("rb") as file:
        text = _Text(path, file)
        text.take("{")
        while text.peek() != "}":
            name = text.value()
            text.take(":")
            if text.peek() == "[":
                names.add(name)
                text.take("[")
                while text.peek() != "]":
                    offset, element = text.offset, text.value()
                    try:
                        take(name, element, offset, text.offset - offset)
                    except (
                        AttributeError,
                        KeyError,
                        TypeError,
                        ValueError,
                        OverflowError,
                    ) as error:
                        is_told = isinstance(error, ValueError)
                        reason = error if is_told else f"no instances JSON: {error!r}"
                        raise ValueError(
                            f"{path}: byte {offset}, one of its {name}: {reason}"
                        ) from error
                    text.separate("]")
                text.take("]")
            else:
                text.value()
            text.separate("}")
    return names


class _Text:
    """A JSON's text by pieces, and a place in it; of Latin-1, so that a character is a byte."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.text, self.place, self.start = "", 0, 0  # the text starts at this byte of the file
        self.more()
        if self.text.startswith("\xef\xbb\xbf"):
            self.place = 3

    @property
    def offset(self) -> int:
        """The place in the file."""
        return self.start + self.place

    def more(self) -> bool:
        """Read on, and drop the text before the place; return whether there was more."""
        piece = self.file.read(PIECE)
        self.start += self.place
        self.text, self.place = self.text[self.place :] + piece.decode("latin-1"), 0
        return bool(piece)

    def peek(self) -> str:
        """Step over blanks, and return the next character; empty at the end."""
        while True:
            if found := _blank(self.text, self.place):
                self.place = found.end()
            if self.place < len(self.text) or not self.more():
                return self.text[self.place : self.place + 1]

    def take(self, wanted: str) -> None:
        """Step over a character."""
        if (found := self.peek()) != wanted:
            raise self.broken(f"{found!r} where {wanted} is expected")
        self.place += 1

    def separate(self, end: str) -> None:
        """Step over a comma, unless the list or object ends."""
        if self.peek() != end:
            self.take(",")

    def value(self) -> Any:
        """Return the next value, and step over it."""
        self.peek()
        while True:
            try:
                value, end = _decode(self.text, self.place)
                if end < len(self.text):
                    break
                reason = "nothing follows"  # a number may go on in the next piece
            except (ValueError, RecursionError) as error:
                reason = str(error).partition(":")[0]
            if not self.more():
                raise self.broken(reason)
        text, self.place = self.text[self.place : end], end
        return value if text.isascii() else json.loads(text.encode("latin-1"))

    def broken(self, reason: str) -> ValueError:
        """Return the error of a file that cannot be read on."""
        return ValueError(
            f"{self.path}: is cut short, or no JSON at byte {self.offset} ({reason}); download it "
            "again"
        )
