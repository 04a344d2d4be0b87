"""Text with a line for each image, or for each image and class, as a table."""

import csv
import io
import logging
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from folder.rows import BITS, File, word_of
from folder.tree import ALMOST, endings, is_photograph

_log = logging.getLogger("irnet")
DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}
SAMPLE = 200  # lines that are looked at, to see what separates their cells
HEADINGS = {"path", "file", "filename", "filepath", "image", "imagepath", "imagename", "imageid"}
HEADINGS |= {"id"}


class Line(NamedTuple):
    """A line of a table: its place in the file, its path, and its other cells by heading."""

    place: str
    path: str
    cells: dict[str, str]


class Table(NamedTuple):
    """The lines of a table, the headings of their cells, and what separates these.

    Without headings, cells have numbers, and lines may have more or fewer of them.
    """

    lines: list[Line]
    headings: list[str]
    delimiter: str

    def only(self, headings: Sequence[str]) -> "Table":
        """Return the table with these columns alone."""
        lines = [x._replace(cells={h: x.cells[h] for h in headings}) for x in self.lines]
        return self._replace(lines=lines, headings=list(headings))


def read_table(file: File) -> Table:
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
    place, first = rows[0] if rows else ("", [])
    headings = [] if any(_is_path(file, cell) for cell in first) else first
    column = _column_of_paths(file, place, headings, sample) or 0
    lines = [
        (place, "".join(cells[column : column + 1]), cells[:column] + cells[column + 1 :])
        for place, cells in rows
    ]
    for place, path, _ in lines:
        _check_path(file, place, path, delimiter)
    if not lines or not _is_heading(file, *lines[0][1:]):
        without = [
            Line(place, path, {str(number): cell for number, cell in enumerate(cells)})
            for place, path, cells in lines
        ]
        return Table(without, [], delimiter)
    place, path, headings = lines[0]
    if twice := [heading for heading in headings if heading and headings.count(heading) > 1]:
        raise ValueError(f"{place}: the heading {twice[0]!r} is there twice")
    if word_of(path) not in HEADINGS:
        _log.info("%s: line 1 is read as headings: %s", file.path, ", ".join(rows[0][1]))
    named = [Line(place, path, _by_heading(place, headings, cells)) for place, path, cells in lines]
    return Table(named[1:], list(named[0].cells), delimiter)


def _check_path(file: File, place: str, path: str, delimiter: str) -> None:
    if not path:
        raise ValueError(f"{place}: no path; a line is `path,class;class`")
    start, *more = re.split("[\t,;]", path)
    if more and file.images.has(start) and not file.images.has(path):
        named = DELIMITERS.get(delimiter, repr(delimiter))
        raise ValueError(f"{place}: cells are not separated by {named}, as in other lines")


def _by_heading(place: str, headings: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Return the cells of a line by heading; those that lack are empty."""
    if any(cells[len(headings) :]):
        raise ValueError(
            f"{place}: {len(cells) + 1} cells, and {len(headings) + 1} headings; a cell that holds "
            "what separates cells is quoted"
        )
    return dict(zip_longest(headings, cells[: len(headings)], fillvalue=""))


def _column_of_paths(
    file: File, place: str, headings: Sequence[str], sample: Sequence[Sequence[str]]
) -> int | None:
    """Return the column of images; of several that may be it, the one with such a heading.

    Without headings it is the first of these.
    """
    fits = Counter(n for cells in sample for n, cell in enumerate(cells) if _is_path(file, cell))
    most = [n for n in sorted(fits) if fits[n] == max(fits.values())]
    most = [n for n in most if all(is_photograph(c[n]) for c in sample if n < len(c))] or most
    images = {n: [file.images.match(c[n])[0] for c in sample if n < len(c)] for n in most}
    is_one = all(images[n] == images[most[0]] for n in most)
    if is_one or max(most) >= len(headings):
        return most[0] if most else None
    named = [n for n in most if word_of(headings[n]) in HEADINGS]
    if len(named) != 1:
        listed = ", ".join(repr(headings[n]) for n in most)
        raise ValueError(
            f"{place}: the columns {listed} may each hold the images; write paths with their "
            "endings, or call one column `path`"
        )
    return named[0]


def key_of_paths(file: File, items: Sequence[Mapping[str, Any]]) -> str:
    """Return the key at which objects of a JSON have the path of an image."""
    keys = list(dict.fromkeys(key for item in items for key in item))
    cells = [
        [item[key] if isinstance(item.get(key), str) else "" for key in keys] for item in items
    ]
    column = _column_of_paths(file, f"{file.path}", keys, cells)
    if column is None:
        raise ValueError(f"{file.path}: no path of an image in {reprlib.repr(dict(items[0]))}")
    return keys[column]


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
    return word_of(path) in HEADINGS or not BITS.keys() & set(map(str.lower, split_cells(cells)))


def split_cells(cells: Iterable[str]) -> list[str]:
    """Return cells; of one that holds several values, these."""
    found = list(cells)
    return re.split(r"[,;|\s]+", found[0].strip("[]() ").strip(";")) if len(found) == 1 else found
