"""Files of labels and of class names, read before it is known which form they have."""

import codecs
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from folder.rows import is_background
from folder.tree import normal
from misc.files.safe_pickles import read_npy_object

ACCEPTED = (
    "a table (CSV, TSV, TXT) of `path,class;class`, of a line for each image and class, or of a "
    "column of 0 and 1 for each class; a JSON of {path: [classes]}, of COCO, Label Studio, VIA or "
    "labelme; CVAT's XML; a folder with a file of labelme, VOC or YOLO for each image; or a .npy "
    "of {id: vector of 0 and 1} or of a row for each image"
)
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_names(path: Path) -> list[str]:
    """Read a text file of class names, one a line; blank lines are skipped."""
    if not path.is_file():
        raise FileNotFoundError(f"--class_names {path}: no such file; a name a line is expected")
    if path.suffix.lower() not in ("", ".txt", ".names"):
        raise ValueError(f"--class_names {path}: no text file (.txt or .names) of a name a line")
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    names = list(map(normal, _numbered_names(lines) or lines))
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        reason = "no name in it" if twice is None else f"{twice!r} is in it twice"
        raise ValueError(f"--class_names {path}: {reason}; a name a line is expected, each once")
    return names


def _numbered_names(lines: Sequence[str]) -> list[str]:
    """Return the names of lines that all have colours, or numbers that count from 0 or 1."""
    found = named_numbers(lines)
    names = [name for name, _ in found]
    numbers = [value for _, values in found for value in values]
    if len(found) < sum(not line.startswith("#") for line in lines):
        return []
    if len(numbers) == 3 * len(names):
        return sorted(names, key=lambda name: not is_background(name))
    is_counted = any(numbers == list(range(n, n + len(names))) for n in (0, 1))
    return names if is_counted else []


def named_numbers(lines: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return the name and the number or the red, green and blue of each line that has them.

    That is CVAT's `name:r,g,b:parts:actions`, `name,r,g,b`, `number,name` or `number name`.
    """
    found = []
    for line in map(str.strip, lines):
        cells = re.split(r"[:,\t]\s*", re.sub(r"^(\d+)\s+", r"\1,", line))
        numbers = [int(cell) for cell in cells if cell.isdecimal()]
        names = [cell for cell in cells if cell and not cell.isdecimal()]
        if not line.startswith("#") and len(numbers) in (1, 3) and names:
            found.append((normal(names[0]), numbers))
    return found


def read_text(path: Path) -> str:
    """Read text in UTF-8, or in UTF-16 with its byte order mark."""
    content = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        if encoding == "utf-8" and b"\0" in content:
            raise ValueError("it has zero bytes")
        return content.decode(encoding)
    except ValueError as error:
        raise ValueError(
            f"{path}: not UTF-8 text ({error}); save it as UTF-8, which Excel calls `CSV UTF-8`"
        ) from error


def read_json(path: Path) -> Any:
    """Read a JSON of an object or a list, in which no name is twice; of .jsonl one a line."""
    try:
        text = read_text(path)
        if path.suffix.lower() == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        content = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON, or cut short ({error})") from error
    if not isinstance(content, dict | list):
        raise ValueError(f"{path}: a JSON of {type(content).__name__}; accepted is {ACCEPTED}")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} is in it twice")
    return found


def read_xml(path: Path) -> ElementTree.Element:
    """Read an XML and return its outermost element."""
    try:
        return ElementTree.fromstring(path.read_bytes())
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{path}: no XML, or cut short ({error})") from error


def read_npy(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """Read an array, or a dict of vectors, without executing what is in it."""
    try:
        try:
            # Mapped, so that no more is allocated than the file has.
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        except ValueError:
            content = read_npy_object(path)
        if not isinstance(content, dict) or not content:
            raise ValueError(f"it holds {type(content).__name__}")
        return {str(name): np.asarray(vector).reshape(-1) for name, vector in content.items()}
    except Exception as error:  # NumPy and the pickle reader raise almost anything
        raise ValueError(f"{path}: {error}; accepted is {ACCEPTED}") from error
