"""What every form of labels gives, and how class names are told apart in it."""

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from folder.tree import Names, is_photograph, normal

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


def names_of_columns(file: File, count: int) -> list[str]:
    """Return --class_names, without the background's name where so many columns have none of it."""
    names = list(file.names or ())
    return names[1:] if len(names) == count + 1 and is_background(names[0]) else names


def choose(file: File, entries: Sequence[Entry]) -> str:
    """Return the attribute whose values are the classes; one that is not certain is refused.

    Those called a class, label or the like come first; of several, the one whose values
    --class_names has.
    """
    values: dict[str, set[str]] = {}
    for entry in entries:
        for name, found in entry.values.items():
            values.setdefault(name, set()).update(filter(None, map(normal, found)))
    there = {name: found for name, found in values.items() if found}
    called = (
        [name for name in there if word_of(name) in CLASS_WORDS]
        or [name for name in there if word_of(name) not in OTHER_WORDS]
        or list(there)
    )
    left = [name for name in called if there[name] <= set(file.names or ())] or called
    if len(left) > 1:
        listed = ", ".join(map(repr, left))
        raise ValueError(
            f"{file.path}: {listed} may each hold the classes; name the classes with "
            "--class_names, or write a CSV of `path,class;class` from the one that is meant"
        )
    return left[0] if left else ""


def classes_in(
    cells: Sequence[str], *, names: Sequence[str] | None, places: Sequence[str]
) -> list[list[str]]:
    """Split each cell into names of classes, where there is one certain reading.

    ';' and '|' are separators. ',', tab and space are if all parts are numbers, classes of
    --class_names, or occur alone, too.

    Raises:
        ValueError: there are two readings; names the first cell's place.
    """
    cells = [_listed(cell) for cell in cells]
    split = _splitter(cells, names or (), places)
    found = [[name for part in split(cell) if (name := normal(part))] for cell in cells]
    used = {name for each in found for name in each}
    if path := next(filter(is_photograph, sorted(used)), None):
        raise ValueError(f"{places[0]}: {path!r} would be a class, and is called as a photograph")
    return found


def _listed(cell: str) -> str:
    """Return a list as Python or JSON writes it, ['a', 'b'], as a;b;."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return cell
    quoted = [found for _, found in re.findall(r"""(["'])(.*?)\1""", cell)]
    return ";".join([*(quoted or re.split(r"[,\s]+", cell[1:-1])), ""])


def _splitter(cells: Sequence[str], names: Sequence[str], places: Sequence[str]) -> Any:
    sure = [each for each in ";|" if any(each in c and c not in names for c in cells)]
    if len(sure) > 1:
        cell = next(cell for cell in cells if "|" in cell)
        raise ValueError(
            f"{places[cells.index(cell)]}: {cell!r} has '|', and other cells have ';'; separate "
            "classes by ';' alone"
        )
    if sure:
        return lambda cell: cell.split(sure[0])
    for separator in (",", "\t", None):
        if not (joined := {cell for cell in cells if len(cell.split(separator)) > 1}):
            continue
        parts = {cell: set(map(str.strip, cell.split(separator))) - {""} for cell in joined}
        known = set(names) or set(cells) - joined
        is_known = {c: all(p in known or is_background(p) for p in parts[c]) for c in joined}
        numbers = all(part.isdecimal() for found in parts.values() for part in found)
        doubtful = {cell for cell in joined if cell in known and is_known[cell]}
        if not names and not numbers and not all(is_known.values()):
            alone = {cell for cell in joined if parts[cell] & known}
            doubtful = joined if separator == "," else alone
        if doubtful:
            cell = next(cell for cell in cells if cell in doubtful)
            count = len(parts[cell])
            raise ValueError(
                f"{places[cells.index(cell)]}: {cell!r} may be one class or {count}; for {count}, "
                "write class;class or name each in --class_names; for one, name it as it is in "
                "--class_names, none of its parts"
            )
        if numbers or (all(is_known[c] for c in joined if c not in names)):
            return lambda cell, by=separator: [cell] if cell in names else cell.split(by)
    return lambda cell: [cell]


def first_number(classes: Mapping[Path, set[str]], names: Sequence[str]) -> int | None:
    """Return whether the classes of all files are places in --class_names from 0 or from 1.

    None: they are no numbers, or names.

    Raises:
        ValueError: it is not certain, or differs between the files.
    """
    used = set().union(*classes.values())
    if not names or not used or used & set(names) or not all(map(str.isdecimal, used)):
        return None
    lowest, highest = min(map(int, used)), max(map(int, used))
    if (lowest == 0 or is_background(names[0])) and highest < len(names):
        return 0
    if lowest > 0 and highest == len(names):
        return 1
    ranges = [
        f"{path} has the numbers {min(map(int, found))} to {max(map(int, found))}"
        for path, found in classes.items()
        if found
    ]
    raise ValueError(
        f"{', '.join(ranges)} for classes, and --class_names has {len(names)}; from 0 to "
        f"{len(names) - 1} or from 1 to {len(names)} is not certain: write the names in place of "
        "numbers"
    )
