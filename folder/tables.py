"""Labels in a table: text with a line for each image, or for each image and class."""

import csv
import io
import json
import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from folder.rows import (
    CLASS_WORDS,
    Entry,
    File,
    Labels,
    Row,
    choose,
    classes_in,
    names_of_columns,
    rows_of,
    word_of,
)
from folder.splits import part_of
from folder.tools import OTHER, values_of
from folder.tree import ALMOST, endings, is_photograph, normal

_log = logging.getLogger("irnet")
DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}
SAMPLE = 200  # lines that are looked at, to see what separates their cells
BITS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
HEADINGS = {"path", "file", "filename", "filepath", "image", "imagepath", "imagename", "imageid"}
HEADINGS |= {"id"}
SPLIT_WORDS = {"split", "set", "subset", "partition", "phase", "dataset"}


class Line(NamedTuple):
    """A line of a table: where it is, its path, and its other cells, of which some may lack."""

    place: str
    path: str
    cells: list[str]

    def cell(self, column: int) -> str:
        """Return one of the other cells; one that lacks is empty."""
        return self.cells[column] if column < len(self.cells) else ""


class Table(NamedTuple):
    """The lines of a table, the headings of their other cells, and what separates these."""

    lines: list[Line]
    headings: list[str]
    delimiter: str


def table(file: File) -> Labels | None:
    """`path,class;class`, a line or a column of 0 and 1 for each class, or as tools write it."""
    found, parts = _without_split(_read(file))
    if not found.lines:
        return None
    labels = _columns_of_0_and_1(file, found) or _column_of_classes(file, found)
    rows = [row._replace(part=parts.get(row.path, "")) for row in labels.rows]
    return labels._replace(rows=rows)


def _without_split(found: Table) -> tuple[Table, dict[str, str]]:
    """Return a table without a column of train, val and test, and what it says of each path."""
    for column, heading in enumerate(found.headings):
        parts = {line.path: part_of(line.cell(column)) for line in found.lines}
        if word_of(heading) in SPLIT_WORDS and all(parts.values()):
            lines = [line._replace(cells=_without(line.cells, column)) for line in found.lines]
            return Table(lines, _without(found.headings, column), found.delimiter), parts
    return found, {}


def _without(cells: list[str], column: int) -> list[str]:
    return cells[:column] + cells[column + 1 :]


def _column_of_classes(file: File, found: Table) -> Labels:
    values = [(x.place, x.path, found.delimiter.join(filter(None, x.cells))) for x in found.lines]
    if len(found.headings) > 1:
        _check_sure(found)
        entries = [Entry(x.place, x.path, _values(found.headings, x.cells)) for x in found.lines]
        name = choose(file, entries)
        values = [(e.place, e.path, v) for e in entries for v in e.values.get(name, [""])]
    places, paths, cells = zip(*values, strict=True)
    classes = classes_in(cells, names=file.names, places=places)
    lines = list(zip(places, paths, classes, strict=True))
    if len(found.headings) <= 1 and any(len(each) != 1 for each in classes):
        return Labels([Row(*line) for line in lines])
    rows = rows_of(lines)
    if len(rows) < len(lines):
        words = "%s: a line for each class, %d of %d images"
        _log.info(words, file.path, len(lines), len(rows))
    return Labels(rows)


def _check_sure(found: Table) -> None:
    """Refuse lines which may say that a class is not there."""
    for column, heading in enumerate(found.headings):
        if word_of(heading) in ("confidence", "score", "probability"):
            for line in found.lines:
                if line.cell(column) not in ("1", "1.0"):
                    raise ValueError(
                        f"{line.place}: the column {heading!r} has {line.cell(column)!r}; keep the "
                        "lines of classes that are there, without this column"
                    )


def _columns_of_0_and_1(file: File, found: Table) -> Labels | None:
    """`path,cat,dog` above `a.jpg,1,0`; or `a.jpg,1,0` or `1,0` in one column and --class_names."""
    first, values = found.lines[0], [_split(line.cells) for line in found.lines]
    _check_one_column(file, found)
    is_bits = [len(each) > 1 and set(map(str.lower, each)) <= BITS.keys() for each in values]
    is_one_cell = max(len(line.cells) for line in found.lines) == 1
    if not any(is_bits) or (is_one_cell and not (all(is_bits) and len(set(map(len, values))) == 1)):
        return None
    count = len(values[is_bits.index(True)])
    if is_one_cell and count == 2 and all(len(set(each)) == 2 for each in values):
        raise ValueError(
            f"{first.place}: {first.cells[0]!r} may be two columns of 0 and 1, or the "
            "classes 0 and 1; write `path,class;class`"
        )
    headings = found.headings
    named = headings if len(headings) == count else names_of_columns(file, count)
    if len(named) != count or len(set(named)) < count or "" in named:
        has = f"{len(named)} names" if named else "there is no --class_names"
        raise ValueError(
            f"{first.place}: {count} columns of 0 and 1, and {has}; a line of headings names "
            "each, or a file --class_names"
        )
    rows, named = [], list(map(normal, named))
    for line, each, fits in zip(found.lines, values, is_bits, strict=True):
        if not fits or len(each) != count:
            raise ValueError(
                f"{line.place}: {count} columns of 0 and 1 are expected after the path"
            )
        shown = [name for name, bit in zip(named, each, strict=True) if BITS[bit.lower()]]
        rows.append(Row(line.place, line.path, shown))
    return Labels(rows, named)


def _check_one_column(file: File, found: Table) -> None:
    """Refuse a column of 0 and 1 below the heading `crack`: is that the class, or are 0 and 1?"""
    if file.names is None and len(found.headings) == 1:
        (heading,) = found.headings
        values = {line.cells[0].lower() for line in found.lines if line.cells}
        if word_of(heading) not in CLASS_WORDS and values == {"0", "1"}:
            raise ValueError(
                f"{found.lines[0].place}: the column {heading!r} has 0 and 1: for one class "
                f"{heading!r}, write `path,class`, and no class where it is 0; for the classes 0 "
                "and 1, name them in --class_names"
            )


def _read(file: File) -> Table:
    """Read the lines of a table, whatever separates their cells, and find the column of paths."""
    text = file.content.lstrip("\n")
    delimiter = ""
    if text[:4].lower() == "sep=":
        delimiter, text = text[4], text.partition("\n")[2]
    delimiter = delimiter or _delimiter(file, text)
    rows = _lines(file, text, delimiter, skipped=file.content.count("\n") - text.count("\n"))
    if rows and rows[0][1][0] in ("", "Unnamed: 0"):  # pandas numbers its lines
        rows = [(place, cells[1:] or [""]) for place, cells in rows]
    sample = [cells for _, cells in rows[1 : SAMPLE + 1] or rows]
    fits = Counter(n for cells in sample for n, cell in enumerate(cells) if _is_path(file, cell))
    column = max(fits, key=lambda n: (fits[n], -n), default=0)
    lines = [
        Line(place, "".join(cells[column : column + 1]), _without(cells, column))
        for place, cells in rows
    ]
    for place, path, _ in lines:
        if not path:
            raise ValueError(f"{place}: no path; a line is `path,class;class`")
        start, *more = re.split("[\t,;]", path)
        if more and file.images.has(start) and not file.images.has(path):
            named = DELIMITERS.get(delimiter, repr(delimiter))
            raise ValueError(f"{place}: cells are not separated by {named}, as in other lines")
    if not lines or not _is_heading(file, lines[0].path, lines[0].cells):
        return Table(lines, [], delimiter)
    if word_of(lines[0].path) not in HEADINGS:
        _log.info("%s: line 1 is read as headings: %s", file.path, ", ".join(rows[0][1]))
    return Table(lines[1:], lines[0].cells, delimiter)


def _is_path(file: File, cell: str) -> bool:
    """Return whether a cell is a path; numbers of classes may be almost the names of images."""
    ids, fit = file.images.match(cell)
    return is_photograph(cell) or (bool(ids) and fit != ALMOST)


def _delimiter(file: File, text: str) -> str:
    """Return what separates the cells of most lines so that one is the path of an image."""
    start = "\n".join(text.splitlines()[:SAMPLE])
    fits = {}
    for delimiter in DELIMITERS:
        try:
            lines = _lines(file, start, delimiter)
        except ValueError:
            lines = []
        fits[delimiter] = sum(any(map(file.images.has, cells)) for _, cells in lines)
    best = max(fits, key=lambda delimiter: fits[delimiter])
    return best if fits[best] else ","


def _lines(
    file: File, text: str, delimiter: str, *, skipped: int = 0
) -> list[tuple[str, list[str]]]:
    """Return the place and the cells of each line; empty ones are skipped."""
    if delimiter == " ":
        # A path may have spaces, too, before its ending.
        after = "|".join(map(re.escape, endings()))
        path = re.compile(rf"(.+?(?:{after})|\S+)(?:\s+(.*))?", re.IGNORECASE)
        matches = [(n, path.fullmatch(line.strip())) for n, line in enumerate(text.splitlines(), 1)]
        numbered = [(n, [m[1], (m[2] or "").strip()]) for n, m in matches if m]
    else:
        cells = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
        )
        try:
            numbered = [(cells.line_num, [cell.strip() for cell in line]) for line in cells]
        except csv.Error as error:
            raise ValueError(
                f"{file.path}, line {cells.line_num + skipped}: {error}; a line is "
                "`path,class;class`"
            ) from error
    return [(f"{file.path}, line {n + skipped}", line) for n, line in numbered if any(line)]


def _is_heading(file: File, path: str, cells: Sequence[str]) -> bool:
    """Return whether the first line names no image, there or missing."""
    if file.images.has(path) or is_photograph(path):
        return False
    return word_of(path) in HEADINGS or not BITS.keys() & set(map(str.lower, _split(cells)))


def _values(headings: Sequence[str], cells: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of a line by heading; of a cell that holds JSON, what tools write in it."""
    found: dict[str, list[str]] = {}
    for heading, cell in zip(headings, cells, strict=False):
        if not heading or word_of(heading) in OTHER:
            continue
        try:
            is_json = cell.startswith(("{", "[{"))
            found |= values_of(heading, json.loads(cell) if is_json else cell)
        except ValueError:
            found[heading] = [cell]
    return found


def _split(cells: Sequence[str]) -> list[str]:
    """Return cells; of one that holds several values, these."""
    if len(cells) != 1:
        return list(cells) or [""]
    return re.split(r"[,;|\s]+", cells[0].strip("[]() ").strip(";"))
