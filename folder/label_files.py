"""Files of labels and of class names, read before it is known which form they have."""

import csv
import io
import json
import logging
import re
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from misc.files.safe_pickles import read_npy_object

_log = logging.getLogger("irnet")
ACCEPTED = (
    "a CSV or TSV of `path,class;class` (commas, tabs or, throughout, semicolons), of a line for "
    "each image and class, or of a column of 0 and 1 for each class; a JSON of {path: [classes]} "
    "or of COCO; or a .npy of {id: vector of 0 and 1} or of a row for each image"
)


class Table(NamedTuple):
    """The lines of a CSV that are not empty, with their numbers, and what separates the cells."""

    delimiter: str
    lines: list[tuple[int, list[str]]]


def normal(text: str) -> str:
    """Return a name without space around it; an accented one has two spellings, of which NFC."""
    return unicodedata.normalize("NFC", text.strip())


def read_names(path: Path) -> list[str]:
    """Read a text file of class names, one a line; blank lines are skipped."""
    if not path.is_file():
        raise FileNotFoundError(f"--class_names {path}: no such file; a name a line is expected")
    names = [normal(line) for line in read_text(path).splitlines() if line.strip()]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        reason = "no name in it" if twice is None else f"{twice!r} is in it twice"
        raise ValueError(f"--class_names {path}: {reason}; a name a line is expected, each once")
    return names


def read_text(path: Path) -> str:
    """Read UTF-8 text, a byte order mark apart."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error})") from error


def read_table(path: Path) -> Table:
    """Read a CSV or TSV; empty lines are skipped."""
    text = read_text(path)
    delimiter = _delimiter(text)
    cells = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        lines = [(cells.line_num, [cell.strip() for cell in line]) for line in cells]
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {cells.line_num}: {error}; a line is `path,class;class`"
        ) from error
    if blank := [number for number, line in lines if not any(line)]:
        count, first = len(blank), blank[0]
        _log.warning("%s: %d empty lines are skipped, the first is line %d", path, count, first)
    return Table(delimiter, [(number, line) for number, line in lines if any(line)])


def _delimiter(text: str) -> str:
    """Return what separates columns: a tab, a comma, or the semicolon of Excel in Europe.

    That is where every line has one, and none a comma or tab, quoted parts apart.
    """
    lines = [line for line in re.sub('"[^"]*"', "", text).splitlines() if line.strip()]
    if lines and all(";" in line and "," not in line and "\t" not in line for line in lines):
        return ";"
    return "\t" if "\t" in text.lstrip().partition("\n")[0] else ","


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON of an object, in which no name is twice."""
    try:
        content = json.loads(read_text(path), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON, or cut short ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a JSON of {type(content).__name__}; accepted is {ACCEPTED}")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} is in it twice")
    return found


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
