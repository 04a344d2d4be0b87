"""Labels in a table: text with a line for each image, or for each image and class."""

import json
import logging
from collections.abc import Mapping, Sequence

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
from folder.table_lines import BITS, Table, read_table, split_cells, without
from folder.tools import OTHER, add_values, values_of
from folder.tree import normal

_log = logging.getLogger("irnet")
SPLIT_WORDS = {"split", "set", "subset", "partition", "phase", "dataset"}
# Columns of whether an image is of val, or of train.
YES_NO_WORDS = {"isval": ("val", "train"), "isvalid": ("val", "train"), "istrain": ("train", "val")}
# What says of the class in a line whether it is there, or how likely.
SURE_WORDS = {"confidence", "conf", "score", "probability", "prob", "present", "presence"}


def table(file: File) -> Labels | None:
    """`path,class;class`, a line or a column of 0 and 1 for each class, or as tools write it."""
    found, parts = _without_split(read_table(file))
    if not found.lines:
        return None
    labels = _columns_of_0_and_1(file, found) or _column_of_classes(file, found)
    rows = [row._replace(part=parts.get(row.path, "")) for row in labels.rows]
    return labels._replace(rows=rows)


def _without_split(found: Table) -> tuple[Table, dict[str, str]]:
    """Return a table without a column of train, val and test, and what it says of each path."""
    for column, heading in enumerate(found.headings):
        word, values = word_of(heading), {line.cell(column).lower() for line in found.lines}
        if word in YES_NO_WORDS and values <= BITS.keys():
            yes, no = YES_NO_WORDS[word]
            part_by_value = {value: yes if BITS[value] else no for value in values}
        elif word in SPLIT_WORDS and any(map(part_of, values)):
            part_by_value = {value: part_of(value) for value in values}
        else:
            continue
        parts = _parts(found, column, part_by_value)
        lines = [line._replace(cells=without(line.cells, column)) for line in found.lines]
        return Table(lines, without(found.headings, column), found.delimiter), parts
    return found, {}


def _parts(found: Table, column: int, part_by_value: Mapping[str, str]) -> dict[str, str]:
    """Return train, val or test by path."""
    parts: dict[str, str] = {}
    for line in found.lines:
        value = line.cell(column)
        part = part_by_value[value.lower()]
        if not part or parts.setdefault(line.path, part) != part:
            raise ValueError(
                f"{line.place}: the column {found.headings[column]!r} has {value!r} for "
                f"{line.path!r}; each image is of one of train, val and test"
            )
    return parts


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
        if word_of(heading) in SURE_WORDS:
            for line in found.lines:
                if line.cell(column) not in ("1", "1.0"):
                    raise ValueError(
                        f"{line.place}: the column {heading!r} has {line.cell(column)!r}; keep the "
                        "lines of classes that are there, without this column"
                    )


def _columns_of_0_and_1(file: File, found: Table) -> Labels | None:
    """`path,cat,dog` above `a.jpg,1,0`; or `a.jpg,1,0` or `1,0` in one column and --class_names."""
    found = _named_columns(file, found)
    first, values = found.lines[0], [split_cells(line.cells) for line in found.lines]
    _check_one_column(file, found)
    _check_columns(file, found)
    is_bits = [len(each) > 1 and set(map(str.lower, each)) <= BITS.keys() for each in values]
    is_one_cell = max(len(line.cells) for line in found.lines) == 1
    is_alike = all(is_bits) and len(set(map(len, values))) == 1
    # A list of classes has none of them twice.
    is_certain = any(b and len(set(v)) < len(v) for v, b in zip(values, is_bits, strict=True))
    if not any(is_bits) or (is_one_cell and not (is_alike or is_certain)):
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
            odd = [repr(cell) for cell in each if cell.lower() not in BITS]
            raise ValueError(
                f"{line.place}: {odd[0] if odd else f'{len(each)} of them'} in place of {count} "
                "columns of 0 and 1 after the path; leave lines out that are not known"
            )
        shown = [name for name, bit in zip(named, each, strict=True) if BITS[bit.lower()]]
        rows.append(Row(line.place, line.path, shown))
    return Labels(rows, named)


def _named_columns(file: File, found: Table) -> Table:
    """Leave out the columns that --class_names does not name, where it names some."""
    known = set(map(normal, file.names or ()))
    chosen = [n for n, heading in enumerate(found.headings) if normal(heading) in known]
    if len(chosen) < 2:
        return found
    lines = [x._replace(cells=[x.cell(n) for n in chosen]) for x in found.lines]
    return found._replace(lines=lines, headings=[found.headings[n] for n in chosen])


def _check_columns(file: File, found: Table) -> None:
    """Refuse columns of 0 and 1 beside others, none of which is called a class; and -1 beside 0."""
    values = {h: {x.cell(n).lower() for x in found.lines} for n, h in enumerate(found.headings)}
    bits = [heading for heading in values if values[heading] <= BITS.keys()]
    others = [heading for heading in values if heading not in bits]
    if len(bits) > 1 and others and not any(word_of(h) in CLASS_WORDS for h in values):
        raise ValueError(
            f"{file.path}: the columns {', '.join(map(repr, bits))} hold 0 and 1, "
            f"{', '.join(map(repr, others))} do not; remove these, or name the columns of classes "
            "in a file --class_names"
        )
    cells = {cell.lower() for line in found.lines for cell in split_cells(line.cells)}
    if cells <= BITS.keys() and "-1" in cells and cells & {"0", "0.0"}:
        raise ValueError(
            f"{file.path}: its columns have -1 beside 0 and 1; write 1 where a class is there, "
            "else 0, and leave lines out that are not known"
        )


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


def _values(headings: Sequence[str], cells: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of a line by heading; of a cell that holds JSON, what tools write in it."""
    found: dict[str, list[str]] = {}
    for heading, cell in zip(headings, cells, strict=False):
        if not heading or word_of(heading) in OTHER:
            continue
        try:
            is_json = cell.startswith(("{", "[{"))
            values = values_of(heading, json.loads(cell) if is_json else cell)
        except ValueError:
            values = {heading: [cell]}
        add_values(found, values)
    return found
