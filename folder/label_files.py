"""Files of labels and of class names, read before it is known which form they have."""

import codecs
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

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
