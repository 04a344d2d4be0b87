"""Names of classes: those of --class_names, those that labels have, and what is probably none."""

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from folder.label_files import read_text
from folder.rows import (
    CLASS_WORDS,
    OTHER_WORDS,
    UNLABELLED,
    UNREAD,
    Entry,
    File,
    Labels,
    is_background,
    word_of,
)
from folder.tree import is_photograph, normal

_log = logging.getLogger("irnet")
SHOWN = 3
ANSWERS = re.compile(r"\W*((0|1|true|false|yes|no)(\W+|$))+", re.IGNORECASE)


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


def without_background(source: Path | None, names: list[str]) -> list[str]:
    """Return the names of --class_names without the background's, which some put first."""
    if len(names) == 1 or not is_background(names[0]):
        return names
    words = "--class_names %s: %r is no class and is left out; in masks it is 0, and 1 is %r"
    _log.warning(words, source, *names[:2])
    return names[1:]


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
    plain = [name for name in there if word_of(name) not in OTHER_WORDS]
    called = (
        # pandas calls a second column `label` label.1
        [name for name in there if word_of(name).rstrip("0123456789") in CLASS_WORDS]
        or [name for name in plain if there[name] != {UNREAD}]
        or plain
        or list(there)
    )
    left = [name for name in called if there[name] <= set(file.names or ())] or called
    if unread := next((name for name in left if UNREAD in there[name]), None):
        place = next(entry.place for entry in entries if UNREAD in entry.values.get(unread, ()))
        raise ValueError(
            f"{place}: {unread!r} is neither a name of a class, nor a list of names, nor objects "
            "with a label and no score; write a CSV of `path,class;class`"
        )
    if len(left) > 1:
        listed = ", ".join(map(repr, left))
        raise ValueError(
            f"{file.path}: {listed} may each hold the classes; name the classes with "
            "--class_names, or write a CSV of `path,class;class` from the one that is meant"
        )
    if others := [repr(name) for name in plain if name not in left]:
        _log.info("%s: the classes are in %r, not in %s", file.path, left[0], _some(others))
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


def _splitter(
    cells: Sequence[str], names: Sequence[str], places: Sequence[str]
) -> Callable[[str], list[str]]:
    """Return what splits a cell into classes."""
    sure = [each for each in ";|" if any(each in c and c not in names for c in cells)]
    if len(sure) > 1:
        cell = next(cell for cell in cells if "|" in cell)
        raise ValueError(
            f"{places[cells.index(cell)]}: {cell!r} has '|', and other cells have ';'; separate "
            "classes by ';' alone"
        )
    if sure:
        return partial(_split, separator=sure[0], whole=())
    for separator in (",", "\t", None):
        parts = {cell: set(map(str.strip, cell.split(separator))) - {""} for cell in cells}
        joined = [cell for cell in parts if len(cell.split(separator)) > 1]
        known = set(names) or set(cells) - set(joined)
        whole = [c for c in joined if all(p in known or is_background(p) for p in parts[c])]
        is_clear = all(cell in whole or cell in names for cell in joined)
        is_clear |= all(part.isdecimal() for cell in joined for part in parts[cell])
        if names:
            doubtful = [cell for cell in whole if cell in names]
        elif is_clear:
            doubtful = []
        else:
            doubtful = [cell for cell in joined if separator == "," or parts[cell] & known]
        if doubtful:
            cell, count = doubtful[0], len(parts[doubtful[0]])
            raise ValueError(
                f"{places[cells.index(cell)]}: {cell!r} may be one class or {count}; for {count}, "
                "write class;class or name each in --class_names; for one, name it as it is in "
                "--class_names, none of its parts"
            )
        if joined and is_clear:
            return partial(_split, separator=separator, whole=names)
    return lambda cell: [cell]


def _split(cell: str, separator: str | None, whole: Sequence[str]) -> list[str]:
    return [cell] if cell in whole else cell.split(separator)


def name_numbers(
    labels: Mapping[Path, Labels], names: Sequence[str] | None
) -> Mapping[Path, Labels]:
    """Return labels with names of classes, where all files have their numbers.

    These are places in --class_names, from 0 or from 1 in all files.

    Raises:
        ValueError: where they count from is not certain, or differs between the files.
    """
    used = {path: {c for row in found.rows for c in row.classes} for path, found in labels.items()}
    together = set().union(*used.values())
    if not names or not together or together & set(names):
        return labels
    if not all(map(str.isdecimal, together)):
        return labels
    if all(re.match(r"\d+\W", name) for name in names):
        raise ValueError(
            f"--class_names: {names[0]!r} and all others have numbers, which do not count up from "
            "0 or 1; write a name a line, in the order of the classes' numbers"
        )
    first = _first_number(used, names)
    _log.info(
        "%s: classes are numbers of --class_names, from %d", ", ".join(map(str, labels)), first
    )
    named = {}
    for path, found in labels.items():
        rows = [
            row._replace(classes=[names[int(number) - first] for number in row.classes])
            for row in found.rows
        ]
        named[path] = found._replace(rows=rows)
    return named


def _first_number(used: Mapping[Path, set[str]], names: Sequence[str]) -> int:
    ranges = {path: (min(map(int, n)), max(map(int, n))) for path, n in used.items() if n}
    lowest, highest = (
        min(low for low, _ in ranges.values()),
        max(high for _, high in ranges.values()),
    )
    if (lowest == 0 or is_background(names[0])) and highest < len(names):
        return 0
    if lowest > 0 and highest == len(names):
        return 1
    listed = ", ".join(f"{path} has the numbers {a} to {b}" for path, (a, b) in ranges.items())
    raise ValueError(
        f"{listed} for classes, and --class_names has {len(names)}; from 0 to {len(names) - 1} or "
        f"from 1 to {len(names)} is not certain: write the names in place of numbers"
    )


def check_names(source: str, occurring: Collection[str], names: Sequence[str]) -> None:
    """Refuse or warn of names of classes that labels have, and that are probably none."""
    if unknown := sorted(name for name in occurring if is_background(name, UNLABELLED)):
        raise ValueError(
            f"{source}: {unknown[0]!r} may be images without any class, or images that nobody has "
            "labelled; for the first, name the classes in a file --class_names, without it; else "
            "take these images out"
        )
    for doubt in _doubts(names):
        _log.warning("%s: %s", source, doubt)


def _doubts(names: Sequence[str]) -> list[str]:
    """Return a line for each kind of name that is probably no class's."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    pairs = [" and ".join(map(repr, found)) for found in alike.values() if len(found) > 1]
    # Such a column says of one class whether it is there.
    is_answer = all(map(ANSWERS.fullmatch, names))
    kinds = [
        (
            "{}: answers, no names of classes? Of columns of 0 and 1, a line of headings or a file "
            "--class_names names each class",
            [repr(name) for name in names if is_answer],
        ),
        (
            "classes differ by upper and lower case alone: {}; they are learnt as several, a file "
            "--class_names refuses those that are not in it",
            pairs,
        ),
        ("{}: several classes in one name? They are written class;class", _joined(names)),
        (
            "{}: taken for a class; an image without any has an empty list, and --class_names FILE "
            "without this name reads it so",
            [repr(name) for name in names if is_background(name)],
        ),
    ]
    return [words.format(_some(found)) for words, found in kinds if found]


def _joined(names: Sequence[str]) -> list[str]:
    """Return the names with ',' or '|' in them, or another separator where a part is a name."""
    parts = {name: set(re.split(r"\s*[/+&#]+\s*", name)) - {name} for name in names}
    known = set(names)
    return [repr(n) for n in names if re.search(r"[,|\[\]]", n) or parts[n] & known]


def _some(found: Sequence[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
