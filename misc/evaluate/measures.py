"""The measures of a run: a line each in --metrics_file, their breakdown in --details_dir."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import write_bytes, write_json
from misc.machine.ranks import rank0_only
from misc.run.log import logger
from misc.run.stage import StageFiles

# What a line of --metrics_file has, and a line of the stages' seconds.
MEASURE = {
    "stage": str,
    "split": str,
    "supervision": str,
    "measure": str,
    "value": int | float,
    "published": int | float | None,
}
SECONDS = {"stage": str, "seconds": int | float}


@rank0_only
def record_measures(
    stage: StageFiles,
    measures: Mapping[str, float],
    details: Mapping[str, Any],
    *,
    supervision: str = "irn",
) -> None:
    """Append an evaluation's measures, and write their breakdown: curves, classes, images.

    Published figures, which are of plain CAMs, stand beside measures with a preset of the data set.

    Args:
        stage: the evaluation.
        measures: names to values; see `known_measures`.
        details: for JSON; see `plain`.
        supervision: the labels that an evaluated network was trained on.
    """
    config, dataset, name = stage.config, stage.dataset, stage.row.name
    listed = stage.value(stage.row.measures)
    split = listed + (f"[:{config.limit}]" if config.limit else "")
    is_plain = supervision == "irn" and config.cam_method == "cam"
    compares = is_plain and config.preset.startswith(dataset.name)
    published = dataset.published(name, split) if compares else {}
    path = Path(config.metrics_file)
    lines = path.read_bytes() if path.is_file() else b""
    for measure, value in known_measures(measures, name, split).items():
        line = {
            "stage": name,
            "split": split,
            "supervision": supervision,
            "measure": measure,
            "value": float(value),
            "published": published.get(measure),
        }
        lines += (json.dumps(line) + "\n").encode()
    # In one write, so that a killed run leaves no partial line.
    write_bytes(path, lines)
    file = name if supervision == "irn" else f"{name}_{supervision}"
    content = {"stage": name, "split": listed, **details}
    write_json(Path(config.details_dir, f"{file}.json"), content)


def known_measures(measures: Mapping[str, float], stage: str, split: str) -> dict[str, float]:
    """Return the measures without NaN, which a split without objects has, and which is logged."""
    unknown = [name for name, value in measures.items() if math.isnan(value)]
    if unknown:
        logger.warning(
            "%s: no %s: the ground truth of %s has no object, or nothing but ignored pixels",
            stage,
            " and ".join(unknown),
            split,
        )
    return {name: value for name, value in measures.items() if name not in unknown}


def plain(values: np.ndarray) -> Any:
    """Convert an array to nested lists for JSON; NaN becomes None, as JSON has no NaN."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else round(float(values), 5)


def read_details(details_dir: str, stage: str) -> dict[str, Any]:
    """Read the breakdown of an evaluation's measures; empty where the stage has not run."""
    path = Path(details_dir, f"{stage}.json")
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise ValueError(f"{path}: not readable ({error}); its stage writes it again") from error


def read_since(
    path: str | os.PathLike[str], offset: int, fields: Mapping[str, Any] = MEASURE
) -> list[dict[str, Any]]:
    """Read the measures that were appended after `offset` bytes; a line cut short is left out.

    Raises:
        ValueError: a line before the last is no JSON, or a line lacks one of the fields.
    """
    if not Path(path).is_file():
        return []
    with open(path, "rb") as file:
        file.seek(offset)
        lines = [line for line in file.read().splitlines() if line.strip()]
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise ValueError(f"{path}, line {number}: no measure ({error})") from error
        known = values if isinstance(values, dict) else {}
        wrong = [name for name, kind in fields.items() if not isinstance(known.get(name), kind)]
        if wrong:
            raise ValueError(
                f"{path}, line {number}: no measure ({', '.join(wrong)} missing or of a wrong "
                "type); delete the line, or the file, which the stages write again"
            )
        found.append(values)
    return found


def end_of(path: str | os.PathLike[str]) -> int:
    """Return the size of the metrics file: the offset of the next measures."""
    return Path(path).stat().st_size if Path(path).is_file() else 0


def record_seconds(path: str | os.PathLike[str], stage: str, seconds: float) -> None:
    """Append a stage's run time."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"stage": stage, "seconds": round(seconds, 3)}) + "\n")


def read_seconds(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read each stage's longest run time: a run that finds its work done takes none."""
    seconds: dict[str, float] = {}
    for line in read_since(path, 0, SECONDS):
        seconds[line["stage"]] = max(seconds.get(line["stage"], 0.0), line["seconds"])
    return seconds
