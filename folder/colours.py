"""Masks of colours or of numbers, read as numbers of classes and objects."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from folder.label_files import read_text
from folder.rows import is_background
from folder.tree import is_photograph, normal
from misc.files.images import read_image, read_label, read_numbers, read_opaque
from misc.files.object_maps import read_class_map
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
        self._source, self._key, self._is_numbers = _find_key(folders)
        numbers = {name: number for number, name in enumerate(class_names, 1)}
        if self._source is None:
            # Colours of VOC's palette, or grey labels in RGB.
            self._numbers = {number * GREY: number for number in range(self._count + 1)}
            palette = _codes(voc_palette())[: self._count + 1].tolist()
            self._numbers |= {colour: number for number, colour in enumerate(palette)}
        else:
            self._numbers = {
                value: numbers.get(name, 0)
                for value, name in self._key.items()
                if name in numbers or is_background(name)
            }

    def read(self, path: Path) -> np.ndarray:
        """Read a mask: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
        if self._is_numbers:
            return self._numbered(path, read_label(path))
        if self._source is None and not _is_coloured(path):
            colours = colours_of(path)
            has_colour = (colours % GREY).any()
            # A palette may list VOC's colours in another order; grey values are numbers alone.
            if has_colour and set(np.unique(colours).tolist()) <= self._numbers.keys():
                return self._numbered(path, colours)
            return read_class_map(path, self._count)
        colours = colours_of(path)
        is_grey = not (colours % GREY).any()
        if is_grey and self._key and not set(np.unique(colours).tolist()) <= self._key.keys():
            return read_class_map(path, self._count)
        return self._numbered(path, colours)

    def _numbered(self, path: Path, values: np.ndarray) -> np.ndarray:
        known, where = np.unique(values, return_inverse=True)
        numbers = [self._number(path, value) for value in known.tolist()]
        return np.array(numbers, np.uint8)[where].reshape(values.shape)

    def _number(self, path: Path, value: int) -> int:
        if value in self._numbers:
            return self._numbers[value]
        if value not in self._key and value == (IGNORE if self._is_numbers else BORDER):
            return IGNORE
        what = f"value {value}" if self._is_numbers else f"colour {_told(value)}"
        if self._source is None:
            why = (
                f"is none of VOC's for {self._count} classes; a file labelmap.txt beside the masks "
                "names each, `name:r,g,b::` a line"
            )
        elif value not in self._key:
            why = f"is not in {self._source}"
        else:
            why = (
                f"is {self._key[value]!r} by {self._source}, which is no class; a file "
                "--class_names names all classes"
            )
        raise ValueError(f"{path}: the {what} {why}")


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


def _told(code: int) -> tuple[int, int, int]:
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
    rows = [re.split(r"[:,\t]\s*", line.strip()) for line in text.splitlines() if line.strip()]
    found = []
    for row in rows:
        numbers = [int(cell) for cell in row if cell.isdecimal()]
        names = [cell for cell in row if cell and not cell.isdecimal()]
        if not row[0].startswith("#") and len(numbers) in (1, 3) and names:
            found.append((normal(names[0]), numbers))
    return found


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
