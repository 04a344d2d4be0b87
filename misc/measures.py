"""The measures of a run: one JSON line each, and the table at a run's end."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from misc.files import write_bytes


def record(
    path: str | os.PathLike[str],
    *,
    stage: str,
    split: str,
    supervision: str = "irn",
    measures: Mapping[str, float],
    published: Mapping[str, float] | None = None,
) -> None:
    """Append measures of a stage to the metrics file, with the published value where known."""
    lines = Path(path).read_bytes() if Path(path).is_file() else b""
    for measure, value in measures.items():
        line = {
            "stage": stage,
            "split": split,
            "supervision": supervision,
            "measure": measure,
            "value": float(value),
            "published": (published or {}).get(measure),
        }
        lines += (json.dumps(line) + "\n").encode()
    # As a whole, so that a run which is killed leaves no half line.
    write_bytes(path, lines)


def read_since(path: str | os.PathLike[str], offset: int) -> list[dict[str, Any]]:
    """Read the measures that were appended after `offset` bytes."""
    if not Path(path).is_file():
        return []
    with open(path, "rb") as file:
        file.seek(offset)
        return [json.loads(line) for line in file.read().splitlines() if line.strip()]


def end_of(path: str | os.PathLike[str]) -> int:
    """Give the size of the metrics file: where the next measures will begin."""
    return Path(path).stat().st_size if Path(path).is_file() else 0


def record_seconds(path: str | os.PathLike[str], stage: str, seconds: float) -> None:
    """Append how long a stage ran."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"stage": stage, "seconds": round(seconds, 3)}) + "\n")


def read_seconds(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read how long each stage's longest run took: one that finds its work done takes none."""
    seconds: dict[str, float] = {}
    for line in read_since(path, 0):
        seconds[line["stage"]] = max(seconds.get(line["stage"], 0.0), line["seconds"])
    return seconds


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows, the first of them the heading, as an aligned Markdown table."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def stage_rows(stage: str, seconds: str, measures: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Make a stage's rows of the final table; one without a measure where it has none."""
    if not measures:
        return [[stage, seconds, "", "", ""]]
    rows = []
    for number, line in enumerate(measures):
        published = "" if line["published"] is None else f"{line['published']:.3f}"
        head = [stage, seconds] if number == 0 else ["", ""]
        trained_on = line.get("supervision", "irn")
        measure = line["measure"] + ("" if trained_on == "irn" else f" ({trained_on})")
        rows.append([*head, measure, f"{line['value']:.4f}", published])
    return rows
