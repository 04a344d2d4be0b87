"""What is in which photograph: the forms of a file of labels, told by what is in it."""

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from folder import image_files, tools
from folder.class_names import classes_in, names_of_columns
from folder.coco_json import labels_of_coco
from folder.label_files import ACCEPTED, read_json, read_npy, read_text, read_xml
from folder.rows import File, Labels, rows_of
from folder.tables import records, table
from folder.tree import Names


def read_labels(path: Path, *, names: Sequence[str] | None, images: Names) -> Labels:
    """Read a file or folder of image-level labels by the first form that knows it.

    Args:
        path: the file; its ending says whether it is a table, JSON, XML or .npy.
        names: the class names, if they are given.
        images: which image a path means.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is of no such form, broken, or has two readings; names the line.
    """
    if not path.exists():
        raise FileNotFoundError(f"--labels {path}: no such file; accepted is {ACCEPTED}")
    ending = "folder" if path.is_dir() else path.suffix.lower()
    read, forms = FORMS.get(ending, FORMS[".csv"])
    file = File(path, read(path), names, images)
    try:
        labels = next((found for form in forms if (found := form(file))), None)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: broken ({error!r}); accepted is {ACCEPTED}") from error
    if labels is None or not labels.rows:
        raise ValueError(f"{path}: no image in it; accepted is {ACCEPTED}")
    return labels


def lists_by_path(file: File) -> Labels | None:
    """`{"a.jpg": ["cat", "dog"]}`, `{"a.jpg": "cat;dog"}` or `{"a.jpg": [0, 2]}`."""
    content = file.content
    if not isinstance(content, dict):
        return None
    _check_keys(file, content)
    cells = []
    for name, found in content.items():
        listed = [found] if isinstance(found, str) else found
        if not isinstance(listed, list) or not all(type(c) in (str, int) for c in listed):
            raise ValueError(
                f"{file.path}: {name!r} has {reprlib.repr(found)}; a list of class names is "
                "expected"
            )
        cells.append(";".join([*map(str, listed), *[""] * (found is listed)]))
    lists = [found for found in content.values() if isinstance(found, list)]
    is_long = {len(each) for each in lists} == {len(file.names or ())}
    if is_long and {c for each in lists for c in each} == {0, 1}:
        raise ValueError(
            f"{file.path}: its lists of 0 and 1 may be columns of classes, or the classes 0 and 1; "
            "write the names in place of numbers"
        )
    places = [str(file.path)] * len(cells)
    classes = classes_in(cells, names=file.names, places=places)
    return Labels(rows_of(zip(places, content, classes, strict=True)))


def _check_keys(file: File, content: Mapping[str, Any]) -> None:
    """Refuse {class: [paths]}."""
    listed = [name for found in content.values() if isinstance(found, list) for name in found]
    if any(map(file.images.has, content)) or not any(isinstance(n, str) for n in listed):
        return
    if any(isinstance(name, str) and file.images.has(name) for name in listed):
        key = next(iter(content))
        raise ValueError(
            f"{file.path}: {key!r} names no image, and what it lists are images; write "
            "{path: [classes]}, an entry for each image"
        )


def vectors(file: File) -> Labels:
    """A vector of 0 and 1 by path or id, or an array (N, C) of a row for each image in order."""
    content = file.content
    if isinstance(content, np.ndarray):
        ids = list(file.images.paths)
        if content.ndim != 2 or len(content) != len(ids):
            images = f"there are {len(ids)} images"
            raise ValueError(f"{file.path}: an array of the shape {content.shape}, {images}")
        content = dict(zip(ids, content, strict=True))
    count = len(next(iter(content.values())))
    for name, vector in content.items():
        if len(vector) != count:
            has = f"{len(vector)} values, the first image {count}"
            raise ValueError(f"{file.path}: {name!r} has {has}")
        if not np.isin(vector, (0, 1)).all():
            raise ValueError(f"{file.path}: {name!r} has other values than 0 and 1")
    names = names_of_columns(file, count) or list(map(str, range(count)))
    if len(names) != count:
        raise ValueError(f"{file.path}: it has {count} classes, --class_names {len(names)}")
    found = [(str(file.path), i, [names[n] for n in np.flatnonzero(v)]) for i, v in content.items()]
    return Labels(rows_of(found), names)


def _read_files(folder: Path) -> dict[Path, Any]:
    """Read the files of a folder by their endings; lists of class names are no labels."""
    readers = {".json": read_json, ".xml": read_xml, ".txt": read_text}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in readers)
    listed = ("classes.txt", "labels.txt", "predefined_classes.txt", "labelmap.txt")
    return {
        path.relative_to(folder): readers[path.suffix.lower()](path)
        for path in paths
        if path.name not in listed
    }


Form = Callable[[File], Labels | None]
JSON: Iterable[Form] = (
    labels_of_coco,
    tools.via,
    image_files.file_of_one_image,
    tools.label_studio,
    records,
    lists_by_path,
)
# By the ending of a file (a table's, of all others, too): how it is read, and its forms, in order.
FORMS: Mapping[str, tuple[Callable[[Path], Any], Iterable[Form]]] = {
    ".csv": (read_text, (table,)),
    ".json": (read_json, JSON),
    ".jsonl": (read_json, JSON),
    ".xml": (read_xml, (tools.cvat, image_files.file_of_one_image)),
    ".npy": (read_npy, (vectors,)),
    "folder": (_read_files, (image_files.folder_of_files,)),
}
