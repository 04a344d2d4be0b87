"""The records that lie beside results: how they are written, read and compared.

A folder's record is its settings.json, that of a weights file NAME.json: the program's version and
code, the settings by stage, those of earlier stages included, the images, a folder's files, and
what else is known of weights.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from misc.files.atomic import write_json
from misc.machine import ranks
from misc.run.code import program_code
from misc.settings.metadata import record_path
from misc.settings.version import VERSION, is_compatible

FOLDER_RECORD = "settings.json"

# By stage: flag names to values. The first stage is the one that writes, the others are earlier.
# A value that is a function describes the files of a record's images, or of those it knows itself.
Settings = Mapping[str, Mapping[str, Any]]
Describe = Callable[[Sequence[str] | None], str]
Record = dict[str, Any]


def new_record(settings: Settings, ids: Sequence[str] | None = None) -> Record:
    """Return the record of settings as plain JSON, whose functions describe the files of `ids`."""
    stages = {
        stage: {name: value(ids) if callable(value) else value for name, value in values.items()}
        for stage, values in settings.items()
    }
    return {"version": VERSION, "stages": json.loads(json.dumps(stages)), "code": program_code()}


def read_record(path: Path) -> Record | None:
    """Read a record; None where there is none, or another program's JSON of the same name.

    Raises:
        ValueError: it is broken, or was written by a version whose results are not continued.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable ({error}); name another place") from error
    stages = content.get("stages") if isinstance(content, dict) else None
    is_ours = (
        isinstance(stages, dict)
        and len(stages) > 0
        and all(isinstance(values, dict) for values in stages.values())
        and isinstance(content.get("version"), str)
    )
    if not is_ours:
        return None
    version: str = content["version"]
    if not is_compatible(version):
        raise ValueError(
            f"{path}: made by version {version} of this program, this is {VERSION}, which neither "
            "continues nor replaces its results: move them away, or name another place"
        )
    return dict(content)


def difference_of(record: Record, settings: Settings) -> str:
    """Describe the first setting in which a record differs from those wanted; else empty."""
    found = record["stages"]
    wanted = new_record(settings, list(images_of(record)) or None)["stages"]
    for stage in dict.fromkeys([*wanted, *found]):
        ours, theirs = wanted.get(stage, {}), found.get(stage, {})
        for name in dict.fromkeys([*ours, *theirs]):
            old, new = theirs.get(name, "not set"), ours.get(name, "not set")
            if old != new and name == "data_root":
                return (
                    f"the images or labels of --{name}, which {stage} read, were {old}, now they "
                    f"are {new}"
                )
            if old != new:
                return f"--{name} of {stage} was {old}, now it is {new}"
    return ""


def read_settings(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]] | None:
    """Read what shaped a folder or weights, by stage; None where it is not ours."""
    record = read_record(record_of(path))
    return None if record is None else dict(record["stages"])


def images_of(record: Record) -> dict[str, str]:
    """Return the images of a record, with what identifies each: ids that contain no path."""
    images = record.get("images", {})
    found = images if isinstance(images, dict) else {}
    return {i: identity for i, identity in found.items() if i and not set("/\0") & set(i)}


def read_note(weights: str | os.PathLike[str], name: str) -> Any:
    """Read on the first rank what the record of weights says by this name; None for nothing."""
    return ranks.on_first(lambda: (read_record(record_path(weights)) or {}).get(name))


def write_note(weights: str | os.PathLike[str], name: str, value: Any) -> None:
    """Write into the record of claimed weights, on the first rank; None deletes what it said."""

    def write() -> None:
        record = read_record(record_path(weights))
        assert record is not None, "weights are claimed before they are noted anything of"
        noted = record | {name: value}
        write_json(record_path(weights), {n: v for n, v in noted.items() if v is not None})

    ranks.on_first(write)


def record_of(place: str | os.PathLike[str]) -> Path:
    """Return the path of the record of a folder that is there, or of a weights file."""
    return Path(place, FOLDER_RECORD) if Path(place).is_dir() else record_path(place)
