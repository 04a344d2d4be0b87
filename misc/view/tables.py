"""The tables of all measures: pseudo labels with published figures, networks with bounds."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from misc.evaluate.measures import read_since
from misc.files.atomic import write_bytes
from misc.run.log import logger, table

LABEL_STAGES = {
    "eval_cam": "CAMs",
    "eval_ins_seg": "instance labels",
    "eval_sem_seg": "semantic labels",
}
NETWORK_STAGES = {"eval_mask_rcnn": "Mask R-CNN", "eval_deeplab": "DeepLab"}
STAGES = LABEL_STAGES | NETWORK_STAGES
BOUNDS = (
    "Trained on the CAMs' own components (the lower bound), on IRNet's labels, and on ground truth "
    "(the upper bound); measured on the split that is named."
)

LATEX = str.maketrans(
    {c: f"\\{c}" for c in "%&_#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)

Line = Mapping[str, Any]


class Table(NamedTuple):
    """A titled table; the first of its rows is the head."""

    title: str
    note: str
    rows: Sequence[Sequence[str]]


def write_tables(metrics_file: str, tables_file: str) -> None:
    """Write the tables from the metrics file alone, and print them.

    Beside them lie the measures as CSV, a line each, and the tables in LaTeX (booktabs).

    Raises:
        FileNotFoundError: there are no measures yet.
    """
    lines = read_since(metrics_file, 0)
    if not lines:
        raise FileNotFoundError(
            f"--metrics_file {metrics_file}: no measures; the eval stages write them: "
            "--eval_cam_pass True and so on"
        )
    tables = make_tables(lines)
    text = markdown(tables)
    write_bytes(Path(tables_file).with_suffix(".csv"), as_csv(lines).encode())
    write_bytes(Path(tables_file).with_suffix(".tex"), latex(tables).encode())
    write_bytes(tables_file, text.encode())
    logger.info("%s\n%s", tables_file, text)


def markdown(tables: Iterable[Table]) -> str:
    """Format tables as a page of Markdown."""
    parts = ["# Measures"]
    for each in tables:
        parts += [f"## {each.title}", *[each.note] * bool(each.note), table(each.rows)]
    return "\n\n".join(parts) + "\n"


def latex(tables: Iterable[Table]) -> str:
    """Format tables in LaTeX, with the rules of the package booktabs."""
    parts = []
    for each in tables:
        cells = ([cell.translate(LATEX) for cell in row] for row in each.rows)
        head, *rows = [" & ".join(row) + r" \\" for row in cells]
        parts += [
            f"% {each.title}",
            rf"\begin{{tabular}}{{{'l' * len(each.rows[0])}}}",
            r"\toprule",
        ]
        parts += [head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", ""]
    return "\n".join(parts)


def as_csv(lines: Iterable[Line]) -> str:
    """Format the last value of each measure as CSV, in full precision."""
    columns = ["stage", "split", "supervision", "measure", "value", "published"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([columns, *map(itemgetter(*columns), latest_lines(lines).values())])
    return file.getvalue()


def latest_lines(lines: Iterable[Line]) -> dict[tuple[str, str, str, str], Line]:
    """Return the last line of each measure, by its stage, name, split and supervision."""
    key = itemgetter("stage", "measure", "split", "supervision")
    return {key(line): line for line in lines}


def make_tables(lines: Iterable[Line]) -> list[Table]:
    """Tabulate measures; of a repeated measure the last one counts.

    Args:
        lines: of the metrics file: stage, split, supervision, measure, value, published.
    """
    # By stage, split and measure, then by the labels that a network was trained on.
    found: dict[tuple[str, str, str], dict[str, Line]] = {}
    for line in lines:
        key = line["stage"], line["split"], line["measure"]
        found.setdefault(key, {})[line["supervision"]] = line
    tables = []
    labels = [line["irn"] for (stage, *_), line in found.items() if stage in LABEL_STAGES]
    if labels:
        tables.append(Table("Pseudo labels", "", label_rows(labels)))
    networks = {key: line for key, line in found.items() if key[0] in NETWORK_STAGES}
    if networks:
        tables.append(Table("Networks trained on the labels", BOUNDS, network_rows(networks)))
    return tables


def label_rows(lines: Sequence[Line]) -> list[Sequence[str]]:
    """Tabulate each measure of the pseudo labels with the published one."""
    rows: list[Sequence[str]] = [("labels", "split", "measure", "ours", "published", "difference")]
    for line in sorted(lines, key=lambda line: list(LABEL_STAGES).index(line["stage"])):
        head = LABEL_STAGES[line["stage"]], line["split"], line["measure"]
        ours, published = line["value"], line["published"]
        known = published is not None and math.isfinite(ours)
        difference = f"{ours - published:+.3f}" if known else ""
        rows.append((*head, number(ours), number(published), difference))
    return rows


def network_rows(
    found: Mapping[tuple[str, str, str], Mapping[str, Line]],
) -> list[Sequence[str]]:
    """Tabulate each measure of a network with its bounds, and its percentage of the upper one."""
    head = "network", "split", "measure", "CAM", "IRNet", "ground truth"
    rows: list[Sequence[str]] = [(*head, "IRNet / truth", "published")]
    for (stage, split, measure), lines in found.items():
        cam, irn, full = (lines.get(name, {}).get("value") for name in ("cam", "irn", "full"))
        share = f"{irn / full:.0%}" if irn and full and math.isfinite(irn / full) else ""
        published = lines.get("irn", {}).get("published")
        values = number(cam), number(irn), number(full), share, number(published)
        rows.append((NETWORK_STAGES[stage], split, measure, *values))
    return rows


def measure_rows(
    lines: Iterable[Line], seconds: Mapping[str, float], stages: Iterable[str]
) -> list[list[str]]:
    """Return a head, and a row for each stage's measure; the last ones count.

    Args:
        lines: as of `make_tables`.
        seconds: of stages that have run; such a stage without a measure has a row, too.
        stages: their names.
    """
    latest = latest_lines(lines)
    rows = [["stage", "measure", "split", "value", "published", "seconds"]]
    for stage in stages:
        taken = f"{seconds[stage]:.1f}" if stage in seconds else ""
        own = [line for line in latest.values() if line["stage"] == stage]
        for line in own:
            name = line["measure"] + f" ({line['supervision']})" * (line["supervision"] != "irn")
            values = number(line["value"], 4), number(line["published"])
            rows.append([stage, name, line["split"], *values, taken])
        if stage in seconds and not own:
            rows.append([stage, "", "", "", "", taken])
    return rows


def filled_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the columns that hold something below their head, the first row."""
    filled = [any(column[1:]) for column in zip(*rows, strict=True)]
    return [[cell for cell, kept in zip(row, filled, strict=True) if kept] for row in rows]


def class_rows(
    class_names: Sequence[str], breakdowns: Iterable[Mapping[str, Any]]
) -> list[list[str]]:
    """Return a head, and a row of IoU and AP50 for each class, from the breakdowns of measures."""
    names = ["background", *class_names]
    columns: dict[str, list[float | None]] = {}
    for found in breakdowns:
        for measure in ("IoU", "AP50"):
            values = found.get(measure, [])
            if any(value is not None for value in values):
                title = f"{STAGES[found['stage']]}, {found['split']}: {measure}"
                columns[title] = [None] * (len(names) - len(values)) + values  # no background
    rows = [
        [name, *map(number, values)]
        for name, *values in zip(names, *columns.values(), strict=True)
        if any(value is not None for value in values)
    ]
    return [["class", *columns], *rows] if rows else []


def number(value: float | None, digits: int = 3) -> str:
    """Format a measure: empty where there is none, a dash where it is not defined."""
    if value is None:
        return ""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
