"""Reads what is in which photograph, in every form that is met."""

import csv
import io
import json
import re
import reprlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from misc.files.safe_pickles import read_npy_object
from misc.run.log import logger

ACCEPTED = (
    "a CSV or TSV of `path,class;class` (commas, tabs or, throughout, semicolons), a JSON of "
    "{path: [classes]} or of COCO, or a .npy of {id: vector of 0 and 1} or of a row for each image"
)
# The first line is one of headings where its first word is one of these.
HEADINGS = ("path", "file", "filename", "file_name", "image", "image_path", "image_id", "id")


class Row(NamedTuple):
    """What a file says of an image: where in the file, the image's path or id, its classes."""

    place: str
    path: str
    classes: Sequence[str]


class Tags(NamedTuple):
    """All rows of a file, and the class names in the file's own order, if it has one."""

    rows: list[Row]
    class_names: list[str] | None = None


def read_tags(path: Path, *, names: Sequence[str] | None, images: Sequence[str]) -> Tags:
    """Read a file of image-level labels; see ACCEPTED.

    Args:
        path: the file; its ending says which form it has.
        names: the class names, if they are given; else those of a .npy are its columns' numbers.
        images: the ids of all images, in order: rows of an array, and no headings.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is of no such form, or broken; names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--labels {path}: no such file; accepted is {ACCEPTED}")
    if path.suffix.lower() == ".npy":
        return _read_npy(path, names, images)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}); accepted is {ACCEPTED}") from error
    if path.suffix.lower() == ".json":
        tags = _read_json(path, text)
    else:
        tags = _read_table(path, text, names, headings=set(HEADINGS).difference(images))
    if not tags.rows:
        raise ValueError(f"{path}: no image in it; accepted is {ACCEPTED}")
    return tags


def read_names(path: Path) -> list[str]:
    """Read a text file of class names, one a line; blank lines are skipped.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not UTF-8 text, no name, or one twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--class_names {path}: no such file; a name a line is expected")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"--class_names {path}: not UTF-8 text ({error})") from error
    names = [normal(line) for line in lines if line.strip()]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        reason = "no name in it" if twice is None else f"{twice!r} is in it twice"
        raise ValueError(f"--class_names {path}: {reason}; a name a line is expected, each once")
    return names


def normal(text: str) -> str:
    """Return a name without space around it; an accented one has two spellings, of which NFC."""
    return unicodedata.normalize("NFC", text.strip())


def _read_table(
    path: Path, text: str, names: Sequence[str] | None, *, headings: Collection[str]
) -> Tags:
    rows: list[Row] = []
    blank = []
    delimiter = _delimiter(text)
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        for cells in lines:
            if delimiter == ";":
                cells = [*cells[:1], ";".join(cells[1:])]
            place, [name, classes, *more] = f"{path}, line {lines.line_num}", [*cells, "", ""][:3]
            if not any(map(str.strip, cells)):
                blank.append(lines.line_num)
            elif not name.strip() or any(map(str.strip, [*more, *cells[3:]])):
                reason = "more than two columns" if name.strip() else "no path"
                raise ValueError(f"{place}: {reason}; a line is `path,class;class`")
            elif re.fullmatch("[01](,[01])+", classes.strip()):
                rows.append(Row(place, name, _of_columns(classes.split(","), names, place)))
            elif rows or name.strip().lower() not in headings:
                rows.append(Row(place, name, _names_in(classes)))
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {lines.line_num}: {error}; a line is `path,class;class`"
        ) from error
    if blank:
        logger.warning(
            "%s: %d empty lines are skipped, the first is line %d", path, len(blank), blank[0]
        )
    return Tags(rows)


def _of_columns(values: Sequence[str], names: Sequence[str] | None, place: str) -> list[str]:
    """Return the classes of a list of 0 and 1."""
    if names is None or len(names) != len(values):
        has = "there is no --class_names" if names is None else f"--class_names has {len(names)}"
        raise ValueError(
            f"{place}: {len(values)} columns of 0 and 1, and {has}; it is a file of their names"
        )
    return [name for name, value in zip(names, values, strict=True) if value == "1"]


def _delimiter(text: str) -> str:
    """Return what separates columns: a tab, a comma, or the semicolon of Excel in Europe.

    That is where every line has one, and none a comma or tab, quoted parts apart.
    """
    lines = [line for line in re.sub('"[^"]*"', "", text).splitlines() if line.strip()]
    if lines and all(";" in line and "," not in line and "\t" not in line for line in lines):
        return ";"
    return "\t" if "\t" in text.lstrip().partition("\n")[0] else ","


def _names_in(text: str) -> list[str]:
    return [name for part in text.split(";") if (name := normal(part))]


def _read_json(path: Path, text: str) -> Tags:
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON, or cut short ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a JSON of {type(content).__name__}; accepted is {ACCEPTED}")
    if isinstance(content.get("images"), list) and "annotations" in content:
        return _read_coco(path, content)
    rows = []
    for name, found in content.items():
        classes = _names_in(found) if isinstance(found, str) else found
        if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
            raise ValueError(
                f"{path}: {name!r} has {reprlib.repr(found)}; a list of class names is expected"
            )
        rows.append(Row(str(path), name, [normal(c) for c in classes if c.strip()]))
    return Tags(rows)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} is in it twice")
    return found


def _read_coco(path: Path, content: Mapping[str, Any]) -> Tags:
    """Read the classes of a COCO JSON's annotations; its masks are not looked at."""
    try:
        categories, images = content["categories"], content["images"]
        # Some write the number 1 in one place and "1" in another.
        called = [normal(str(category["name"])) for category in categories]
        names = dict(zip(_ids(categories, "id"), called, strict=True))
        called = [str(image["file_name"]) for image in images]
        files = dict(zip(_ids(images, "id"), called, strict=True))
        annotations = content["annotations"]
        pairs = zip(_ids(annotations, "image_id"), _ids(annotations, "category_id"), strict=True)
        groups = {c.get("supercategory") for c in categories if c.get("supercategory") != c["name"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: no COCO JSON ({error!r})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    shown: dict[str, dict[str, None]] = {image: {} for image in files}
    for image, category in pairs:
        if image not in files or category not in names:
            lacking = f"image {image}" if image not in files else f"category {category}"
            raise ValueError(f"{path}: an annotation of {lacking}, which it does not list")
        shown[image][names[category]] = None
    rows = [Row(f"{path}, image {i}", files[i], list(classes)) for i, classes in shown.items()]
    # By number.
    ordered = list(dict.fromkeys(names[i] for i in sorted(names, key=lambda i: (len(i), i))))
    used = {name for classes in shown.values() for name in classes}
    unused = [name for name in ordered if name in groups and name not in used]
    if unused:
        listed = ", ".join(unused)
        logger.warning("%s: groups of categories, and no classes: %s", path, listed)
    return Tags(rows, [name for name in ordered if name not in unused])


def _ids(parts: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """Return ids, numbers or text, as text."""
    ids = [part[key] for part in parts]
    for value in ids:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"the {key} {reprlib.repr(value)} is neither a number nor text")
    found = list(map(str, ids))
    if key == "id" and len(set(found)) < len(found):
        raise ValueError(f"the id {Counter(found).most_common(1)[0][0]} is in it twice")
    return found


def _read_npy(path: Path, names: Sequence[str] | None, images: Sequence[str]) -> Tags:
    try:
        vectors = _vectors(path, images)
        count = len(next(iter(vectors.values())))
        for name, vector in vectors.items():
            if len(vector) != count:
                raise ValueError(f"{name!r} has {len(vector)} values, the first image {count}")
            if not np.isin(vector, (0, 1)).all():
                raise ValueError(f"{name!r} has other values than 0 and 1")
        if names is not None and len(names) != count:
            raise ValueError(f"it has {count} classes, --class_names {len(names)}")
    except Exception as error:  # NumPy and the pickle reader raise almost anything
        raise ValueError(f"{path}: {error}; accepted is {ACCEPTED}") from error
    called = list(map(str, range(count)) if names is None else names)
    rows = [
        Row(str(path), name, [called[n] for n in np.flatnonzero(vector)])
        for name, vector in vectors.items()
    ]
    return Tags(rows, called)


def _vectors(path: Path, images: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        # Mapped, so that no more is allocated than the file has.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        content = read_npy_object(path)
        if not isinstance(content, dict) or not content:
            raise ValueError(f"it holds {type(content).__name__}") from None
        return {str(name): np.asarray(vector).reshape(-1) for name, vector in content.items()}
    if array.ndim != 2 or len(array) != len(images):
        raise ValueError(f"an array of the shape {array.shape}, there are {len(images)} images")
    return dict(zip(images, array, strict=True))
