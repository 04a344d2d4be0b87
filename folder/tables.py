"""Labels in a table: text with a line for each image, or for each image and class."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from folder.class_names import choose, classes_in, names_of_columns
from folder.rows import (
    BITS,
    CLASS_WORDS,
    OTHER_WORDS,
    SURE_WORDS,
    Entry,
    File,
    Labels,
    Row,
    rows_of,
    word_of,
)
from folder.splits import parts_in
from folder.table_lines import Line, Table, key_of_paths, read_table, split_cells
from folder.tools import add_values, values_of
from folder.tree import normal

_log = logging.getLogger("irnet")


def table(file: File) -> Labels | None:
    """`path,class;class`, a line or a column of 0 and 1 for each class, or as tools write it."""
    return _labels_in(file, read_table(file))


def records(file: File) -> Labels | None:
    """A list of objects, one with an image's path and its classes each: a table, as JSON has it."""
    items = file.content
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    path_key = key_of_paths(file, items)
    keys = list(dict.fromkeys(key for item in items for key in item if key != path_key))
    lines = [
        Line(
            f"{file.path}, entry {number}",
            _text(item.get(path_key)),
            {key: _text(item.get(key)) for key in keys},
        )
        for number, item in enumerate(items)
    ]
    return _labels_in(file, Table(lines, keys, ","))


def _text(value: Any) -> str:
    """Return a value of a JSON as the cell of a table."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _labels_in(file: File, found: Table) -> Labels | None:
    found, parts = _without_split(found)
    if not found.lines:
        return None
    labels = _columns_of_0_and_1(file, found) or _column_of_classes(file, found)
    rows = [row._replace(part=parts.get(row.path, "")) for row in labels.rows]
    return labels._replace(rows=rows)


def _without_split(found: Table) -> tuple[Table, dict[str, str]]:
    """Return a table without a column of train, val and test, and what it says of each path."""
    for heading in found.headings:
        said = [(line.place, line.path, line.cells[heading]) for line in found.lines]
        if parts := parts_in(heading, said):
            return found.only([each for each in found.headings if each != heading]), parts
    return found, {}


def _column_of_classes(file: File, found: Table) -> Labels:
    values = [
        (x.place, x.path, found.delimiter.join(filter(None, x.cells.values()))) for x in found.lines
    ]
    if found.headings:
        _check_sure(found)
        entries = [Entry(x.place, x.path, _values(x.cells)) for x in found.lines]
        name = choose(file, entries)
        values = [(e.place, e.path, v) for e in entries for v in e.values.get(name, [""])]
    places, paths, cells = zip(*values, strict=True)
    classes = classes_in(cells, names=file.names, places=places)
    lines = list(zip(places, paths, classes, strict=True))
    if len(found.headings) <= 1 and any(len(each) > 1 for each in classes):
        return Labels([Row(*line) for line in lines])
    rows = rows_of(lines)
    if len(rows) < len(lines):
        words = "%s: a line for each class, %d of %d images"
        _log.info(words, file.path, len(lines), len(rows))
    return Labels(rows)


def _check_sure(found: Table) -> None:
    """Refuse lines which may say that a class is not there."""
    for heading in found.headings:
        for line in found.lines:
            if word_of(heading) in SURE_WORDS and line.cells[heading] not in ("1", "1.0"):
                raise ValueError(
                    f"{line.place}: the column {heading!r} has {line.cells[heading]!r}; keep the "
                    "lines of classes that are there, without this column"
                )


def _columns_of_0_and_1(file: File, found: Table) -> Labels | None:
    """`path,cat,dog` above `a.jpg,1,0`; or `a.jpg,1,0` or `1,0` in one column and --class_names."""
    others, found = found.headings, _named_columns(file, found)
    _check_one_column(file, found)
    _check_columns(file, found)
    values = [[v.lower() for v in split_cells(line.cells.values())] for line in found.lines]
    if not (count := _count_of_columns(found, values)):
        return None
    headings, place = found.headings, found.lines[0].place
    named = headings if len(headings) == count else names_of_columns(file, count)
    if len(named) != count or len(set(named)) < count or "" in named:
        has = f"{len(named)} names" if named else "there is no --class_names"
        raise ValueError(
            f"{place}: {count} columns of 0 and 1, and {has}; a line of headings names each, or a "
            "file --class_names"
        )
    rows, named = [], list(map(normal, named))
    for line, bits in zip(found.lines, values, strict=True):
        odd = [repr(value) for value in bits if value not in BITS]
        if odd or len(bits) != count:
            raise ValueError(
                f"{line.place}: {odd[0] if odd else f'{len(bits)} of them'} in place of {count} "
                "columns of 0 and 1 after the path; leave lines out that are not known"
            )
        shown = [name for name, bit in zip(named, bits, strict=True) if BITS[bit]]
        rows.append(Row(line.place, line.path, shown))
    if others := [repr(heading) for heading in others if heading not in ("", *headings)]:
        _log.info("%s: columns that are no classes: %s", file.path, ", ".join(others))
    return Labels(rows, named)


def _count_of_columns(found: Table, values: Sequence[Sequence[str]]) -> int:
    """Return how many columns of 0 and 1 lines have, each of these values; 0: they have none."""
    bits = [each for each in values if len(each) > 1 and set(each) <= BITS.keys()]
    if not bits:
        return 0
    if max(len(line.cells) for line in found.lines) == 1:
        is_alike = len(bits) == len(values) and len(set(map(len, values))) == 1
        # A list of classes has none of them twice.
        if not is_alike and all(len(set(each)) == len(each) for each in bits):
            return 0
        if len(bits[0]) == 2 and all(len(set(each)) == 2 for each in values):
            raise ValueError(
                f"{found.lines[0].place}: {' '.join(values[0])!r} may be two columns of 0 and 1, "
                "or the classes 0 and 1; write `path,class;class`"
            )
    return len(bits[0])


def _named_columns(file: File, found: Table) -> Table:
    """Return the columns that --class_names names, or those called a class, or all but tools'."""
    known = set(map(normal, file.names or ()))
    chosen = [heading for heading in found.headings if normal(heading) in known]
    if len(chosen) < 2:
        chosen = [heading for heading in found.headings if word_of(heading) in CLASS_WORDS]
    if not chosen:
        chosen = [heading for heading in found.headings if word_of(heading) not in OTHER_WORDS]
    return found.only(chosen) if chosen else found


def _check_columns(file: File, found: Table) -> None:
    """Refuse columns of 0 and 1 beside others; and -1 beside 0."""
    values = {h: {line.cells[h].lower() for line in found.lines} for h in found.headings}
    bits = [heading for heading in values if values[heading] <= BITS.keys()]
    others = [heading for heading in values if heading not in bits]
    if len(bits) > 1 and others:
        raise ValueError(
            f"{file.path}: the columns {', '.join(map(repr, bits))} hold 0 and 1, "
            f"{', '.join(map(repr, others))} do not; remove these, or name the columns of classes "
            "in a file --class_names"
        )
    cells = {c.lower() for line in found.lines for c in split_cells(line.cells.values())}
    if cells <= BITS.keys() and "-1" in cells and cells & {"0", "0.0"}:
        raise ValueError(
            f"{file.path}: its columns have -1 beside 0 and 1; write 1 where a class is there, "
            "else 0, and leave lines out that are not known"
        )


def _check_one_column(file: File, found: Table) -> None:
    """Refuse a column of 0 and 1 below the heading `crack`: is that the class, or are 0 and 1?"""
    if file.names is None and len(found.headings) == 1:
        (heading,) = found.headings
        values = {line.cells[heading].lower() for line in found.lines}
        if word_of(heading) not in CLASS_WORDS and values == {"0", "1"}:
            raise ValueError(
                f"{found.lines[0].place}: the column {heading!r} has 0 and 1: for one class "
                f"{heading!r}, write `path,class`, and no class where it is 0; for the classes 0 "
                "and 1, name them in --class_names"
            )


def _values(cells: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the values of a line by heading; of a cell that holds JSON, what tools write in it."""
    found: dict[str, list[str]] = {}
    for heading, cell in cells.items():
        if not heading:
            continue
        try:
            is_json = cell.startswith(("{", "[{"))
            values = values_of(heading, json.loads(cell) if is_json else cell)
        except ValueError:
            values = {heading: [cell]}
        add_values(found, values)
    return found
