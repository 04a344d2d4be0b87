"""All that is known of a folder before an image is opened: its images, classes and labels."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from folder.tags import ACCEPTED, HEADINGS, Row, Tags, read_names, read_tags
from folder.tree import Names, image_ids
from misc.files.images import image_endings
from misc.running.log import logger

# Values of an 8-bit label map without background, 255 for ignore, and one left free.
MOST_CLASSES = 253


class Index(NamedTuple):
    """A folder's images and labels.

    Attributes:
        paths: path below the root of each image, by id.
        class_names: the names of the classes.
        rows: by id of each image that has a label its row in `labels`.
        labels: uint8 (N, C), 1 where an image shows a class.
    """

    paths: Mapping[str, str]
    class_names: tuple[str, ...]
    rows: Mapping[str, int]
    labels: np.ndarray


def read_index(
    root: Path, *, labels: Path | None, class_names: Path | None, masks: Path | None
) -> Index:
    """Read the tree of images and the labels; without a file of labels they are sub-folders.

    Raises:
        FileNotFoundError: there is no image, no such file, or an image that is named is missing.
        ValueError: a file is broken, an image has two rows, or a class is unknown.
    """
    paths = image_ids(root, but=masks)
    if not paths:
        raise FileNotFoundError(
            f"--data_root {root}: no image in it or below; read are {', '.join(image_endings())}"
        )
    names = None if class_names is None else read_names(class_names)
    if labels is None:
        tags = _sub_folders(root, paths)
    else:
        tags = read_tags(labels, names=names, images=list(paths))
    found = _match(root, paths, tags.rows, source=str(labels))
    source = f"{labels or f'--data_root {root}'}"
    if names is None:
        names = tags.class_names or sorted({c for row in found.values() for c in row.classes})
        _look_at_names(source, names)
    if not 0 < len(names) <= MOST_CLASSES:
        raise ValueError(f"{source}: {len(names)} classes, accepted are 1 to {MOST_CLASSES}")
    ids = [image_id for image_id in paths if image_id in found]
    if len(ids) < len(paths):
        lacking = next(path for image_id, path in paths.items() if image_id not in found)
        _say(
            logging.INFO,
            f"{source}: {len(paths) - len(ids)} of {len(paths)} images have no label and are left "
            f"out, the first is {lacking}",
        )
    rows = {image_id: row for row, image_id in enumerate(ids)}
    labelled = _label_rows(found, rows, names)
    return Index(paths=paths, class_names=tuple(names), rows=rows, labels=labelled)


def _sub_folders(root: Path, paths: Mapping[str, str]) -> Tags:
    rows = [
        Row(f"{root / path}", path, [path.partition("/")[0]])
        for path in paths.values()
        if "/" in path
    ]
    if not rows:
        raise ValueError(
            f"--data_root {root}: pass --labels with its images, {ACCEPTED}; or sort them into one "
            "folder for each class"
        )
    return Tags(rows)


def _match(
    root: Path, paths: Mapping[str, str], rows: Sequence[Row], *, source: str
) -> dict[str, Row]:
    """Return the row of each image that has one, by id."""
    names, found, missing = Names(root, paths), dict[str, Row](), list[Row]()
    for row in rows:
        try:
            image_id = names.find(row.path)
        except ValueError as error:
            raise ValueError(f"{row.place}: {error}") from error
        if image_id is None:
            missing.append(row)
        elif (other := found.setdefault(image_id, row)) is not row:
            raise ValueError(
                f"{row.place}: {row.path!r} is there already, {other.place}; put all classes of "
                "an image in one row, as class;class"
            )
    if missing:
        may_be_heading = missing == rows[:1] and rows[1:] and missing[0].place.endswith(", line 1")
        heading = f"; if line 1 is a heading, its accepted names are {', '.join(HEADINGS)}"
        raise FileNotFoundError(
            f"{source}: {len(missing)} of {len(rows)} images are missing, the first is "
            f"{missing[0].path!r} ({missing[0].place}); paths are below --data_root {root}"
            f"{heading if may_be_heading else ''}"
        )
    return found


def _label_rows(
    found: Mapping[str, Row], places: Mapping[str, int], names: Sequence[str]
) -> np.ndarray:
    number = {name: place for place, name in enumerate(names)}
    labels = np.zeros((len(places), len(names)), np.uint8)
    for image_id, row in found.items():
        for name in row.classes:
            if name not in number:
                near = difflib.get_close_matches(name, names, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"{row.place}: unknown class {name!r} of {row.path!r}, accepted are the "
                    f"{len(names)} of --class_names{meant}"
                )
            labels[places[image_id], number[name]] = 1
    return labels


def _look_at_names(source: str, names: Sequence[str]) -> None:
    """Say what is odd in class names that nobody listed."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    pairs = [" and ".join(map(repr, found)) for found in alike.values() if len(found) > 1]
    if pairs:
        _say(
            logging.WARNING,
            f"{source}: classes differ by upper and lower case alone: {', '.join(pairs)}; they are "
            "learnt as several, a file --class_names refuses those that are not in it",
        )
    if list(names) == list(map(str, range(len(names)))):
        _say(
            logging.INFO,
            f"{source}: the classes are called 0 to {len(names) - 1}; --class_names FILE names "
            "them, one a line",
        )


@cache
def _say(level: int, words: str) -> None:
    """Log a line once a run, though every stage opens the folder again."""
    logger.log(level, "%s", words)
