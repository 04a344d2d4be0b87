"""The records beside results: results of different settings never mix.

A folder's record is its settings.json, that of a weights file NAME.json. It has the program's
version and code, the settings by stage, the images, a folder's files, and what else is known of
weights. A run with other settings is refused with the flag and stage that differ, and a second run
at the same time with the first one's host and process. Results without a record are not ours, and
are never replaced.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from misc.files.atomic import is_temporary, remove_abandoned, write_json
from misc.files.locks import hold
from misc.files.outputs import image_files, remove_outputs
from misc.files.palette import LEGEND
from misc.machine.ranks import rank0_only
from misc.run.code import program_code, tell_other_code
from misc.settings.config import Config
from misc.settings.metadata import record_path
from misc.settings.version import VERSION, is_compatible

FOLDER_RECORD = "settings.json"
PREDICTION = "predict"  # what the settings of --predict, which is no stage, begin with

# By stage: flag names to values. The first stage is the one that writes, the others are earlier.
Settings = Mapping[str, Mapping[str, Any]]
Record = dict[str, Any]


@rank0_only
def claim_folder(
    folder: Path,
    settings: Settings,
    *,
    files: Sequence[str],
    images: Mapping[str, str],
    overwrite: bool = False,
) -> None:
    """Lock an output folder, and create it for these settings or continue one with the same.

    `files` are names as in misc.files.outputs; `images` say by id what else identifies its inputs.
    `overwrite` deletes what the same stage made with other settings, and nothing else.

    Raises:
        ValueError: see `check_claim`; or another run is writing to it.
    """
    hold(folder)
    folder.mkdir(parents=True, exist_ok=True)
    before = read_record(folder) or {}
    record = check_claim(folder, settings, overwrite=overwrite)
    known, written = images_of(before), list(dict.fromkeys([*before.get("files", []), *files]))
    if record is None:
        remove_outputs(folder, written, known)
        known, written = {}, list(files)
    changed = [i for i in images if known.get(i, images[i]) != images[i]]
    # An image that could not be read has no files, and may have been repaired.
    if there := [i for i in changed if any(p.exists() for p in image_files(folder, written, i))]:
        if not overwrite:
            raise ValueError(
                f"{folder}: holds results of another {known[there[0]] or there[0]} ({len(there)} "
                f"such images); pass --overwrite True to replace them, or {_ways_out(settings)}"
            )
        remove_outputs(folder, [name for name in written if "{}" in name], there)
    remove_abandoned(folder, seconds=0)
    # Written before the images' files, so that each of them is known to be ours.
    _write_record(folder, record, settings, {"files": written, "images": {**known, **images}})


def hold_sources(places: Iterable[str | os.PathLike[str]]) -> None:
    """Keep other runs from replacing the folders and weights of ours that this one reads."""
    for place in places:
        if record_of(place).exists():
            hold(place, to_read=True)


@rank0_only
def claim_weights(
    path: Path,
    settings: Settings,
    *,
    notes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> bool:
    """Lock weights and their checkpoint for these settings; return whether they are finished.

    `notes` are what else their record says.

    Raises:
        ValueError: see `check_claim`; or another run is writing them.
    """
    hold(path)
    record = check_claim(path, settings, overwrite=overwrite)
    remove_abandoned(path.parent, path.name, seconds=0)
    finished = record is not None and path.exists()
    if record is None:
        path.unlink(missing_ok=True)
    if record is None or finished:  # finished: a run was killed after its last file
        checkpoint_path(path).unlink(missing_ok=True)
    # Written before the training, so that a checkpoint always has its settings beside it.
    _write_record(path, record, settings, notes or {})
    return finished


def confirm_weights(path: Path, settings: Settings) -> None:
    """Raise ValueError where weights, just before they are written, are not claimed as they were.

    A file system without locks does not keep another run from claiming them.
    """
    record = read_record(path)
    if record is None or difference_of(record, settings):
        raise ValueError(
            f"{path}: another run has claimed it with other settings during this training; it is "
            "not written: name another place and train again"
        )


def checkpoint_path(weights: Path) -> Path:
    """Return the path of the checkpoint of the training that will write a weights file."""
    return weights.with_name(f"{weights.name}.checkpoint")


@rank0_only
def remove_recorded(folder: Path, files: Sequence[str]) -> None:
    """Delete these files of all images that a claimed folder is of; see misc.files.outputs."""
    remove_outputs(folder, files, images_of(read_record(folder) or {}))


def check_claim(
    place: Path, settings: Settings, *, overwrite: bool, is_partial: bool = False
) -> Record | None:
    """Return the record of a folder or weights to continue; None where they are made anew.

    Raises:
        ValueError: there are results of other settings, which may not be overwritten, or of another
            stage or unknown origin, which never are.
    """
    record = read_record(place)
    result = next(_results(place, is_ours=record is not None), None)
    if record is None:
        if result is not None:
            raise ValueError(
                f"{result}: not made by this program ({record_of(place).name} does not say so) and "
                f"not replaced, even with --overwrite True; {_ways_out(settings)}"
            )
        return None
    difference = difference_of(record, settings, is_partial=is_partial)
    if not difference:
        return record
    (was, *_), (now, *_) = record["stages"], settings
    if result is not None and was != now:
        raise ValueError(
            f"{place}: made by the stage {was}, and {now} would write there; it is not replaced, "
            "even with --overwrite True: name another place"
        )
    if result is not None and not overwrite:
        raise ValueError(
            f"{place if place.is_dir() else result}: made with other settings: {difference}; pass "
            f"--overwrite True to replace it, or {_ways_out(settings)}"
        )
    return None


def read_record(place: str | os.PathLike[str]) -> Record | None:
    """Read the record of a folder or weights; None where there is none, or another program's JSON.

    Raises:
        ValueError: it is broken, or was written by a version whose results are not continued.
    """
    path = record_of(place)
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


def difference_of(record: Record, settings: Settings, *, is_partial: bool = False) -> str:
    """Describe the first setting in which a record differs from those wanted; else empty.

    Where these are not all, only those that both have are compared.
    """
    found, wanted = record["stages"], json.loads(json.dumps(settings))
    defaults = json.loads(json.dumps(vars(Config())))
    if is_partial and next(iter(found)) != next(iter(wanted)):
        return "another stage"
    for stage in dict.fromkeys([*wanted, *found]):
        ours, theirs = wanted.get(stage, {}), found.get(stage, {})
        names = [n for n in ours if n in theirs] if is_partial else dict.fromkeys([*ours, *theirs])
        for name in names:
            old, new = theirs.get(name, "not set"), ours.get(name, "not set")
            if name not in theirs and name in defaults and new == defaults[name]:
                continue  # the record is older than the setting
            if old != new and name == "data_root":
                return (
                    f"the images or labels of --{name}, which {stage} read, were {old}, now they "
                    f"are {new}"
                )
            if old != new:
                return f"--{name} of {stage} was {old}, now it is {new}"
    return ""


def read_settings(place: str | os.PathLike[str]) -> dict[str, dict[str, Any]] | None:
    """Read what shaped a folder or weights, by stage; None where it is not ours."""
    record = read_record(place)
    return None if record is None else dict(record["stages"])


def images_of(record: Record) -> dict[str, str]:
    """Return the images of a record, with what identifies each: ids that contain no path."""
    images = record.get("images", {})
    found = images if isinstance(images, dict) else {}
    return {i: identity for i, identity in found.items() if i and not set("/\0") & set(i)}


@rank0_only
def read_note(weights: str | os.PathLike[str], name: str) -> Any:
    """Read what the record of weights says by this name; None for nothing."""
    return (read_record(weights) or {}).get(name)


@rank0_only
def write_note(weights: str | os.PathLike[str], name: str, value: Any) -> None:
    """Write into the record of claimed weights; None deletes what it said."""
    record = read_record(weights)
    assert record is not None, "weights are claimed before they are noted anything of"
    noted = record | {name: value}
    write_json(record_of(weights), {n: v for n, v in noted.items() if v is not None})


def record_of(place: str | os.PathLike[str]) -> Path:
    """Return the path of the record of a folder that is there, or of a weights file."""
    return Path(place, FOLDER_RECORD) if Path(place).is_dir() else record_path(place)


def _write_record(
    place: Path, record: Record | None, settings: Settings, fields: Mapping[str, Any]
) -> None:
    """Write fields of a record that is continued, or of a new one, where they are others."""
    if record is None:
        begun = {"version": VERSION, "stages": settings, "code": program_code()}
    else:
        begun = record
        tell_other_code(place, record.get("code", {}))
    written = json.loads(json.dumps({**begun, **fields}))
    if written != record:
        write_json(record_of(place), written)


def _results(place: Path, *, is_ours: bool) -> Iterator[Path]:
    """Yield what lies in a claimed place, of ours without what claiming it writes."""
    if place.is_dir():
        own = (FOLDER_RECORD, Path(LEGEND).name) if is_ours else ()
        there = (path for path in place.rglob("*") if path.is_file() and path.name not in own)
        yield from (path for path in there if not is_temporary(path))
    else:
        parts = [place, checkpoint_path(place), *([] if is_ours else [record_path(place)])]
        yield from (path for path in parts if path.exists())


def _ways_out(settings: Settings) -> str:
    """Return what to do with results that are not to be replaced."""
    first = next(iter(settings))
    if first.startswith(PREDICTION):
        return "name another --predict_dir"
    if first == "sweep":
        return "name another --sweep_dir"
    if first == "export":
        return "name another folder for --export"
    return (
        "switch its stage off to use it as it is, or name another place, for example "
        "--run_dir runs/NAME"
    )
