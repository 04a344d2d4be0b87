"""What is in which photograph: a function for each form of a file of labels, and their table."""

import logging
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from folder.label_files import ACCEPTED, normal, read_json, read_npy, read_table

_log = logging.getLogger("irnet")
# The first line is one of headings where its first word is one of these, '_' and case apart.
HEADINGS = [
    "path",
    "file",
    "filename",
    "filepath",
    "image",
    "imagepath",
    "imagename",
    "imageid",
    "id",
]
BITS = {"0": False, "1": True, "0.0": False, "1.0": True}


class Row(NamedTuple):
    """What a file says of an image: where in the file, the image's path or id, its classes."""

    place: str
    path: str
    classes: Sequence[str]


class Labels(NamedTuple):
    """All rows of a file, and the class names in the file's own order, if it has one."""

    rows: list[Row]
    class_names: list[str] | None = None


class File(NamedTuple):
    """A file of labels as every form is given it.

    Attributes:
        path: the file.
        content: a Table, or what a JSON or .npy holds.
        names: those of --class_names.
        images: the ids of all images, in order.
    """

    path: Path
    content: Any
    names: Sequence[str] | None
    images: Sequence[str]


def read_labels(path: Path, *, names: Sequence[str] | None, images: Sequence[str]) -> Labels:
    """Read a file of image-level labels by the first of FORMS that knows it.

    Args:
        path: the file; its ending says whether it is a table, JSON or .npy.
        names: the class names, if they are given.
        images: the ids of all images, in order: rows of an array, and no headings.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is of no such form, or broken; names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--labels {path}: no such file; accepted is {ACCEPTED}")
    read, forms = FORMS.get(path.suffix.lower(), FORMS[".csv"])
    file = File(path, read(path), names, images)
    labels = next((found for form in forms if (found := form(file))), None)
    if labels is None or not labels.rows:
        raise ValueError(f"{path}: no image in it; accepted is {ACCEPTED}")
    return labels


def columns_of_0_and_1(file: File) -> Labels | None:
    """`path,cat,dog` above `a.jpg,1,0`; or `a.jpg,1,0` or a.jpg, a tab, `1,0` and --class_names."""
    lines = [(number, name, _split(rest)) for number, (name, *rest) in file.content.lines]
    bits = [len(values) > 1 and set(values) <= BITS.keys() for _, _, values in lines]
    if not any(bits):
        return None
    is_heading = _is_heading(file) or not BITS.keys() & set(lines[0][2])
    heading = lines.pop(0)[2] if is_heading else []
    count = len(lines[0][2])
    named = heading if len(heading) == count else file.names
    if named is None or len(named) != count or len(set(named)) < count or "" in named:
        has = "there is no --class_names" if named is None else f"{len(named)} names"
        raise ValueError(
            f"{_place(file, lines[0][0])}: {count} columns of 0 and 1, and {has}; a line of "
            "headings names each, or a file --class_names"
        )
    named, rows = list(map(normal, named)), []
    for number, name, values in lines:
        if not name or len(values) != count or not set(values) <= BITS.keys():
            raise ValueError(
                f"{_place(file, number)}: {count} columns of 0 and 1 are expected after the path"
            )
        shown = [c for c, value in zip(named, values, strict=True) if BITS[value]]
        rows.append(Row(_place(file, number), name, shown))
    return Labels(rows, named)


def line_for_each_class(file: File) -> Labels | None:
    """`a.jpg,cat` above `a.jpg,dog`: the lines of an image add up."""
    lines, shown = _below_heading(file), dict[str, dict[str, None]]()
    if any(len(cells) != 2 or not all(cells) or ";" in cells[1] for _, cells in lines):
        return None
    for _, (name, class_name) in lines:
        shown.setdefault(name, {})[normal(class_name)] = None
    if len(shown) == len(lines):
        return None
    _log.info("%s: a line for each class, %d of %d images", file.path, len(lines), len(shown))
    first = {name: number for number, (name, _) in reversed(lines)}
    return Labels([Row(_place(file, first[n]), n, list(found)) for n, found in shown.items()])


def classes_in_a_cell(file: File) -> Labels:
    """`a.jpg,cat;dog`."""
    rows = []
    for number, cells in _below_heading(file):
        if file.content.delimiter == ";":
            cells = [cells[0], ";".join(cells[1:])]
        name, classes, *more = [*cells, ""]
        if not name or any(more):
            reason = "more than two columns" if name else "no path"
            raise ValueError(f"{_place(file, number)}: {reason}; a line is `path,class;class`")
        rows.append(Row(_place(file, number), name, _names_in(classes)))
    return Labels(rows)


def coco_annotations(file: File) -> Labels | None:
    """The categories of an image's annotations; boxes and masks are not looked at."""
    content = file.content
    if not isinstance(content.get("images"), list) or "annotations" not in content:
        return None
    try:
        names, files = _by_id(content["categories"], "name"), _by_id(content["images"], "file_name")
        shown: dict[str, dict[str, None]] = {image: {} for image in files}
        for annotation in content["annotations"]:
            image, category = (_id(annotation, key) for key in ("image_id", "category_id"))
            if image not in files or category not in names:
                lacking = f"image {image}" if image not in files else f"category {category}"
                raise ValueError(f"an annotation of {lacking}, which it does not list")
            shown[image][names[category]] = None
        above = {c.get("supercategory") for c in content["categories"]}
        above -= {c["name"] for c in content["categories"] if c.get("supercategory") == c["name"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file.path}: no COCO JSON ({error!r})") from error
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from error
    rows = [Row(f"{file.path}, image {i}", files[i], list(found)) for i, found in shown.items()]
    by_number = dict.fromkeys(names[i] for i in sorted(names, key=lambda i: (len(i), i)))
    used = {name for found in shown.values() for name in found}
    if groups := [name for name in by_number if name in above and name not in used]:
        listed = ", ".join(groups)
        _log.warning("%s: groups of categories, and no classes: %s", file.path, listed)
    return Labels(rows, [name for name in by_number if name not in groups])


def lists_by_path(file: File) -> Labels:
    """`{"a.jpg": ["cat", "dog"]}`, or `{"a.jpg": "cat;dog"}`."""
    rows = []
    for name, found in file.content.items():
        classes = _names_in(found) if isinstance(found, str) else found
        if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
            raise ValueError(
                f"{file.path}: {name!r} has {reprlib.repr(found)}; a list of class names is "
                "expected"
            )
        rows.append(Row(str(file.path), name, [normal(c) for c in classes if c.strip()]))
    return Labels(rows)


def vectors(file: File) -> Labels:
    """A vector of 0 and 1 by path or id, or an array (N, C) of a row for each image in order."""
    content = file.content
    if isinstance(content, np.ndarray):
        if content.ndim != 2 or len(content) != len(file.images):
            images = f"there are {len(file.images)} images"
            raise ValueError(f"{file.path}: an array of the shape {content.shape}, {images}")
        content = dict(zip(file.images, content, strict=True))
    count = len(next(iter(content.values())))
    for name, vector in content.items():
        if len(vector) != count:
            has = f"{len(vector)} values, the first image {count}"
            raise ValueError(f"{file.path}: {name!r} has {has}")
        if not np.isin(vector, (0, 1)).all():
            raise ValueError(f"{file.path}: {name!r} has other values than 0 and 1")
    names = list(file.names or map(str, range(count)))
    if len(names) != count:
        raise ValueError(f"{file.path}: it has {count} classes, --class_names {len(names)}")
    rows = [
        Row(str(file.path), i, [names[n] for n in np.flatnonzero(v)]) for i, v in content.items()
    ]
    return Labels(rows, names)


def _is_heading(file: File) -> bool:
    first = file.content.lines[0][1][0].lower() if file.content.lines else ""
    return first.replace("_", "") in HEADINGS and first not in file.images


def _below_heading(file: File) -> list[tuple[int, list[str]]]:
    return file.content.lines[_is_heading(file) :]


def _place(file: File, number: int) -> str:
    return f"{file.path}, line {number}"


def _split(cells: Sequence[str]) -> list[str]:
    """Return cells; of one that holds several with commas between them, these."""
    return [part.strip() for part in cells[0].split(",")] if len(cells) == 1 else list(cells)


def _names_in(text: str) -> list[str]:
    return [name for part in text.split(";") if (name := normal(part))]


def _by_id(parts: Sequence[Mapping[str, Any]], key: str) -> dict[str, str]:
    found = {_id(part, "id"): normal(str(part[key])) for part in parts}
    if len(found) < len(parts):
        raise ValueError("an id of its images or categories is in it twice")
    return found


def _id(part: Mapping[str, Any], key: str) -> str:
    """Return an id as text: some write the number 1 in one place and "1" in another."""
    value = part[key]
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"the {key} {reprlib.repr(value)} is neither a number nor text")
    return str(value)


Form = Callable[[File], Labels | None]
# By the ending of a file (a table's, of all others, too): how it is read, and its forms, in order.
FORMS: Mapping[str, tuple[Callable[[Path], Any], Iterable[Form]]] = {
    ".csv": (read_table, (columns_of_0_and_1, line_for_each_class, classes_in_a_cell)),
    ".json": (read_json, (coco_annotations, lists_by_path)),
    ".npy": (read_npy, (vectors,)),
}
