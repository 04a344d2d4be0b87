"""What every form of labels gives, and how class names are told apart in it."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from folder.tree import Names, normal

_log = logging.getLogger("irnet")
UNLABELLED = {"unlabeled", "unlabelled", "no label", "not labeled", "not labelled"}
BACKGROUND = {"background", "bg", "none", "nothing", "negative", "no finding", "void", "empty"}
BACKGROUND |= {"nan", "n/a", "na", "null", "-"} | UNLABELLED
# What a column, or an attribute of a tool, of classes is called, without case and '_'.
CLASS_WORDS = {"class", "label", "tag", "category", "target", "classname", "labelname", "choice"}
CLASS_WORDS |= {"classes", "labels", "tags", "categories", "findinglabels", "choices"}
# What tools write beside the classes.
OTHER_WORDS = {"id", "annotationid", "annotator", "createdat", "updatedat", "leadtime", "filesize"}
OTHER_WORDS |= {"regioncount", "regionid", "regionshapeattributes", "width", "height", "innerid"}
OTHER_WORDS |= {"fold", "kfold"}
# What says of the class beside it whether it is there, or how likely.
SURE_WORDS = {"confidence", "conf", "score", "probability", "prob", "present", "presence"}
SURE_WORDS |= {"value", "ispresent", "confidencescore", "votes"}
UNREAD = "\0"  # in place of a value that is not understood
# What says of a class, in lower case, whether it is there.
BITS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
BITS |= {"-1": False}  # of tables of -1 and 1; beside 0 it means something else


class Row(NamedTuple):
    """What a file says of an image.

    Attributes:
        place: where in the file.
        path: the image's path or id.
        classes: names of classes.
        folders: folders below the root in which the path may lie, too.
        part: train, val or test, where the file is of one.
    """

    place: str
    path: str
    classes: Sequence[str]
    folders: Sequence[str] = ()
    part: str = ""


class Labels(NamedTuple):
    """All rows of a file, and the class names in the file's own order, if it has one."""

    rows: list[Row]
    class_names: list[str] | None = None


class File(NamedTuple):
    """A file of labels as every form is given it.

    Attributes:
        path: the file.
        content: what its ending's reader returns.
        names: those of --class_names, the background's too, where it is at their head.
        images: which image a path means.
    """

    path: Path
    content: Any
    names: Sequence[str] | None
    images: Names


class Entry(NamedTuple):
    """What a tool or a table says of an image: values by the name of an attribute or column."""

    place: str
    path: str
    values: Mapping[str, Sequence[str]]


def is_background(name: str, words: Collection[str] = BACKGROUND) -> bool:
    """Return whether a name says that no class is there."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold() in words


def word_of(heading: str) -> str:
    """Return a heading without case, '_' and space, for comparing."""
    return re.sub(r"[\W_]+", "", heading).casefold()


def rows_of(
    found: Iterable[tuple[str, str, Sequence[str]]], parts: Mapping[str, str] | None = None
) -> list[Row]:
    """Return a row for each path of (place, path, classes), which add up; with parts by path."""
    places, shown = dict[str, str](), dict[str, dict[str, None]]()
    for place, path, classes in found:
        places.setdefault(path, place)
        shown.setdefault(path, {}).update(dict.fromkeys(filter(None, map(normal, classes))))
    parts = parts or {}
    return [
        Row(place, path, list(shown[path]), part=parts.get(path, ""))
        for path, place in places.items()
    ]


def has_keys(content: Any, **kinds: Any) -> bool:
    """Return whether an object of a JSON has these keys, each with a value of its kind."""
    return isinstance(content, dict) and all(
        isinstance(content.get(key), kind) for key, kind in kinds.items()
    )
