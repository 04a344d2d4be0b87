"""Masks of colours or of numbers, read as numbers of classes and objects."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from folder.class_names import named_numbers
from folder.label_files import read_text
from folder.rows import is_background
from folder.tree import is_photograph, normal
from misc.files.images import read_image, read_label, read_numbers, read_opaque
from misc.files.palette import voc_palette
from misc.imutils import IGNORE

# In an instance mask of 16 bits, which may number more than 254 objects.
IGNORED_OF_16_BITS = 65535
GREY = 0x010101
BORDER = 0xE0E0C0  # of objects in VOC's masks, ignored
LARGEST_KEY = 1 << 20  # bytes
# Files that say what the colours or numbers of masks mean, in their folder or above it.
KEYS = ("labelmap.txt", "label_map.txt", "class_dict.csv", "_classes.csv", "label_colors.txt")
KEY_JSON = re.compile(r".*(colo|palette|class|label|meta).*\.json", re.IGNORECASE)
Key = Mapping[int, str]  # names by number, or by red * 65536 + green * 256 + blue


class ClassColours:
    """What the values of semantic masks mean.

    A key in one of the folders says it: CVAT's labelmap.txt `name:r,g,b:parts:actions`, a CSV of
    `name,r,g,b` or `number,name`, or a JSON of names and colours. Without one, numbers are those of
    classes, from 1, and colours those of VOC's palette.
    """

    def __init__(self, folders: Sequence[Path], class_names: Sequence[str]) -> None:
        self._count = len(class_names)
        self._source, self._key, self._key_has_numbers = _find_key(folders)
        numbers = {name: number for number, name in enumerate(class_names, 1)}
        named = {
            value: numbers.get(name, 0)
            for value, name in self._key.items()
            if name in numbers or is_background(name)
        }
        plain = {number: number for number in range(self._count + 1)}
        palette = _codes(voc_palette())[: self._count + 1].tolist()
        voc = {number * GREY: number for number in plain}  # grey labels in RGB
        voc |= {colour: number for number, colour in enumerate(palette)}
        self._by_number = named if self._key_has_numbers else plain
        self._by_colour = voc if self._source is None else named
        for table, ignored in ((self._by_number, IGNORE), (self._by_colour, BORDER)):
            if ignored not in self._key:
                table.setdefault(ignored, IGNORE)

    def read(self, path: Path) -> np.ndarray:
        """Read a mask: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
        has_numbers = self._key_has_numbers or self._holds_numbers(path)
        table = self._by_number if has_numbers else self._by_colour
        values = read_label(path) if has_numbers else colours_of(path)
        known, where = np.unique(values, return_inverse=True)
        for value in known.tolist():
            if value not in table:
                raise ValueError(
                    f"{path}: {self._why_unknown(value, has_numbers)}{self._smooth(len(known))}"
                )
        return np.array([table[value] for value in known.tolist()], np.uint8)[where].reshape(
            values.shape
        )

    def _holds_numbers(self, path: Path) -> bool:
        """Return whether a mask's pixels are numbers of classes, not colours."""
        colours = set(np.unique(colours_of(path)).tolist())
        is_grey = not any(colour % GREY for colour in colours)
        if self._source is not None:
            return is_grey and not colours <= self._key.keys()
        # A palette may list VOC's colours in another order; grey values are numbers alone.
        return not _is_coloured(path) and (is_grey or not colours <= self._by_colour.keys())

    def _why_unknown(self, value: int, is_number: bool) -> str:
        what = f"the value {value}" if is_number else f"the colour {_rgb(value)}"
        if value in self._key and is_number == self._key_has_numbers:
            return (
                f"{what} is {self._key[value]!r} by {self._source}, which is no class; a file "
                "--class_names names all classes"
            )
        if self._source is not None and is_number == self._key_has_numbers:
            return f"{what} is not in {self._source}"
        if is_number:
            return f"has {what}; a label is 0, a class id + 1 up to {self._count}, or {IGNORE}"
        return (
            f"{what} is none of VOC's for {self._count} classes; a file labelmap.txt beside the "
            "masks names each, `name:r,g,b::` a line"
        )

    def _smooth(self, count: int) -> str:
        """Return a doubt about a mask that has many values or colours."""
        if count <= self._count + 2:  # background, ignored
            return ""
        return (
            f"; {count} values or colours for {self._count} classes: was the mask resized "
            "smoothly, or stored as JPEG?"
        )


def read_white(path: Path) -> np.ndarray:
    """Read a mask of a single object or class, of any one colour on black: bool (H, W)."""
    colours = colours_of(path)
    if (count := len(np.setdiff1d(colours, [0]))) > 1:
        raise ValueError(
            f"{path}: has {count} colours beside black, where a mask of one object has one; was it "
            "resized smoothly, or stored as JPEG?"
        )
    return colours > 0


def read_objects(path: Path) -> tuple[np.ndarray, int]:
    """Read an instance mask, (H, W), of numbers or of a colour for each object; and what to ignore.

    Black is no object, and VOC's border is ignored.
    """
    if not _is_coloured(path):
        objects = read_numbers(path)
        return objects, IGNORE if objects.dtype == np.uint8 else IGNORED_OF_16_BITS
    codes = colours_of(path)
    where = np.unique(np.append(codes, 0), return_inverse=True)[1]
    objects = where[:-1].reshape(codes.shape).astype(np.uint16)
    objects[codes == BORDER] = IGNORED_OF_16_BITS
    return objects, IGNORED_OF_16_BITS


def _is_coloured(path: Path) -> bool:
    """Return whether a mask's pixels are colours, not numbers; broken files have none."""
    try:
        read_numbers(path)
    except ValueError:
        return True
    return False


def colours_of(path: Path) -> np.ndarray:
    """Return the colour of each pixel: int64 (H, W), red * 65536 + green * 256 + blue."""
    return _codes(read_image(path)) * read_opaque(path)


def _codes(colours: np.ndarray) -> np.ndarray:
    return colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])


def _rgb(code: int) -> tuple[int, int, int]:
    return code >> 16, code >> 8 & 255, code & 255


def _find_key(folders: Sequence[Path]) -> tuple[Path | None, Key, bool]:
    """Return a key's file, its names, and whether they are by number; without one, no names."""
    for place in folders:
        files = [path for path in sorted(place.glob("*")) if path.is_file()]
        named = [p for p in files if p.name.lower() in KEYS or KEY_JSON.fullmatch(p.name)]
        for path in named:
            pairs = _pairs(path) if path.stat().st_size < LARGEST_KEY else []
            # A table of photographs and of 0 and 1 for each class is no key.
            is_key = pairs and not any(is_photograph(name) for name, _ in pairs)
            if is_key and len({len(value) for _, value in pairs}) == 1:
                key = {int(np.dot(v, [1 << 16, 1 << 8, 1][-len(v) :])): n for n, v in pairs}
                return path, key, len(pairs[0][1]) == 1
    return None, {}, False


def _pairs(path: Path) -> list[tuple[str, list[int]]]:
    """Return names and their colours, or their numbers in a list, of a file that has some."""
    text = read_text(path)
    if path.suffix.lower() == ".json":
        try:
            return _pairs_in(json.loads(text))
        except ValueError:
            return []
    return named_numbers(text.splitlines())


def _pairs_in(content: Any) -> list[tuple[str, list[int]]]:
    """Return names and colours: {name: colour}, or a list of objects with a name and a colour."""
    if isinstance(content, dict) and isinstance(content.get("classes"), list):
        content = content["classes"]
    if isinstance(content, dict):
        pairs = [(name, value) for name, value in content.items()]
    elif isinstance(content, list) and all(isinstance(each, dict) for each in content):
        names = [each.get("name") or each.get("title") or each.get("label") for each in content]
        pairs = [(str(n), each.get("color")) for n, each in zip(names, content, strict=True)]
    else:
        return []
    found = []
    for name, value in pairs:
        if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            value = list(bytes.fromhex(value[1:]))
        if isinstance(value, list) and len(value) == 3 and all(type(v) is int for v in value):
            found.append((normal(name), value))
    return found
