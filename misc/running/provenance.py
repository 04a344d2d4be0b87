"""What shaped a folder or a weights file, so that results of different settings never mix.

Beside the outputs of each stage is a JSON: the program's version, the settings that shaped them by
stage, those of earlier stages included, and the images that a folder's files are of. A run with
other settings is rejected with the flag and stage that differ. Outputs without such a JSON are not
ours, and are never replaced.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from misc.files.atomic import is_temporary, remove_abandoned, write_json
from misc.learning.checkpoints import checkpoint_path
from misc.machine import ranks
from misc.running.records import (
    Record,
    Settings,
    difference_of,
    has_listing,
    images_of,
    new_record,
    other_version,
    read_record,
)
from misc.settings.told import record_path
from misc.settings.version import is_compatible

FOLDER_RECORD = "settings.json"
PREDICTION = "predict"  # what the settings of --predict, which is no stage, begin with
LEGEND = "legend.svg"  # of the palette's colours, of no image


def claim_folder(
    folder: str | os.PathLike[str],
    settings: Settings,
    *,
    files: Sequence[str],
    images: Iterable[str],
    overwrite: bool = False,
) -> None:
    """Create an output folder for these settings, or continue one with the same.

    Args:
        folder: the output folder.
        settings: all that shapes the outputs.
        files: names of the files that the stage writes into it; `{}` is an image's id.
        images: the ids of the images to write.
        overwrite: delete what the stage made with other settings, and nothing else.

    Raises:
        ValueError: the folder holds outputs of other settings, of another stage, or of unknown
            origin; the last two are not replaced.
    """
    ranks.on_first(lambda: _claim_folder(Path(folder), settings, files, list(images), overwrite))


def _claim_folder(
    folder: Path, settings: Settings, files: Sequence[str], images: list[str], overwrite: bool
) -> None:
    path = folder / FOLDER_RECORD
    record = read_record(path)
    if _check_folder(folder, record, settings, overwrite) and record is not None:
        remove_outputs(folder, files, images_of(record))
        record = None
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    known = [] if record is None else images_of(record)
    if record is None or not set(images) <= set(known) or has_listing(record):
        # Written before the images' files, so that each of them is known to be ours.
        known = sorted({*known, *images})
        write_json(path, new_record(settings, known) | {"images": known})


def _check_folder(folder: Path, record: Record | None, settings: Settings, overwrite: bool) -> str:
    """Return the difference from a folder's record; ValueError where it may not be replaced."""
    if record is None and (strange := _content(folder)):
        raise ValueError(
            f"{folder}: holds {strange[0]} and no {FOLDER_RECORD} of this program: it was not made "
            "by this program and is not replaced, even with --overwrite True; "
            f"{_ways_out(settings)}"
        )
    difference = "" if record is None else difference_of(record, settings)
    if record is not None and difference and _holds_results(folder):
        _require_overwrite(folder, record, settings, difference, overwrite)
    return difference


def check_claim(
    path: str | os.PathLike[str], stage: str, known: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Raise as claiming a folder or weights will, by those settings of its stage that are known.

    Args:
        path: the output folder, or the weights file.
        stage: the stage that will claim it.
        known: settings that shape its outputs, not all of them.
        overwrite: as for the claim.
    """
    place = Path(path)
    beside = place / FOLDER_RECORD if place.is_dir() else record_path(place)
    record = read_record(beside)
    found = {} if record is None else dict(record["stages"])
    is_own = next(iter(found), stage) == stage
    settings = found | {stage: found.get(stage, {}) | known} if is_own else {stage: known}
    check = _check_folder if place.is_dir() else _check_weights
    check(place, record, settings, overwrite)


def remove_outputs(
    folder: str | os.PathLike[str], files: Sequence[str], images: Iterable[str]
) -> None:
    """Delete a stage's files of these images, and the folders that are then empty.

    Args:
        folder: the output folder.
        files: the files' names in it; `{}` is an image's id.
        images: the ids.
    """
    listed = list(images)
    for name in files:
        for image_id in listed if "{}" in name else [""]:
            Path(folder, name.replace("{}", image_id)).unlink(missing_ok=True)
    parents = {parent for name in files for parent in PurePosixPath(name).parents}
    for inner in sorted(parents - {PurePosixPath()}, key=lambda inner: -len(inner.parts)):
        place = Path(folder, inner)
        if place.is_dir() and all(map(is_temporary, place.iterdir())):
            remove_abandoned(place)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def claim_weights(
    path: str | os.PathLike[str], settings: Settings, *, overwrite: bool = False
) -> bool:
    """Claim a weights file, and the checkpoint beside it, for these settings.

    Returns:
        whether the weights are finished: they exist, made with these settings.

    Raises:
        ValueError: weights or checkpoint were made with other settings, by another stage, or are
            of unknown origin; the last two are not replaced.
    """
    return ranks.on_first(lambda: _claim_weights(Path(path), settings, overwrite))


def _claim_weights(path: Path, settings: Settings, overwrite: bool) -> bool:
    beside, checkpoint = record_path(path), checkpoint_path(path)
    record = read_record(beside)
    difference = _check_weights(path, record, settings, overwrite)
    remove_abandoned(path.parent, path.name)
    if record is not None and not difference:
        if path.exists():
            checkpoint.unlink(missing_ok=True)  # a run was killed after its last file
        return path.exists()
    for part in (path, checkpoint):
        part.unlink(missing_ok=True)
    # Written before the training, so that a checkpoint always has its settings beside it.
    write_json(beside, new_record(settings))
    return False


def _check_weights(path: Path, record: Record | None, settings: Settings, overwrite: bool) -> str:
    """Return the difference from a record of weights; ValueError where they may not be replaced."""
    beside, checkpoint = record_path(path), checkpoint_path(path)
    strange = [part for part in (path, checkpoint, beside) if record is None and part.exists()]
    if strange:
        raise ValueError(
            f"{strange[0]}: not made by this program with recorded settings, and not replaced, "
            f"even with --overwrite True; {_ways_out(settings)}"
        )
    difference = "" if record is None else difference_of(record, settings)
    parts = [part for part in (path, checkpoint) if part.exists()]
    if record is not None and difference and parts:
        _require_overwrite(parts[0], record, settings, difference, overwrite)
    return difference


def read_settings(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]] | None:
    """Read what shaped a folder or a weights file, by stage; None where it is not ours.

    Raises:
        ValueError: it was written by a version whose results are not continued, or is broken.
    """
    place = Path(path)
    beside = place / FOLDER_RECORD if place.is_dir() else record_path(place)
    record = read_record(beside)
    if record is None:
        return None
    if not is_compatible(record["version"]):
        raise ValueError(f"{place}: {other_version(record)}; make it again, or name another place")
    stages: dict[str, dict[str, Any]] = record["stages"]
    return stages


def read_note(weights: str | os.PathLike[str], name: str) -> Any:
    """Read the note of `write_note` beside a weights file; None where there is none."""
    record = read_record(record_path(weights)) or {}
    return record.get("notes", {}).get(name)


def write_note(weights: str | os.PathLike[str], name: str, value: Any) -> None:
    """Write a note beside claimed weights: what can change about them without a training.

    None deletes the note. Written by the first rank.
    """
    path = record_path(weights)

    def write() -> None:
        record = read_record(path)
        if record is None:
            raise ValueError(f"{path}: no settings of this program; its stage writes them")
        notes = {**record.get("notes", {}), name: value}
        write_json(path, record | {"notes": {n: v for n, v in notes.items() if v is not None}})

    ranks.on_first(write)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Compute the first 16 digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _content(folder: Path) -> list[str]:
    """List a folder without the temporary files of killed runs."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if not is_temporary(path))


def _holds_results(folder: Path) -> bool:
    """Return whether a claimed folder has a file besides those that claiming it writes."""
    own = (FOLDER_RECORD, LEGEND)
    return any(p.is_file() and p.name not in own and not is_temporary(p) for p in folder.rglob("*"))


def _require_overwrite(
    path: Path, record: Record, settings: Settings, difference: str, overwrite: bool
) -> None:
    """Raise ValueError unless existing outputs may be replaced."""
    (was, *_), (now, *_) = record["stages"], settings
    if was != now:
        raise ValueError(
            f"{path}: made by the stage {was}, and {now} would write there; it is not replaced, "
            "even with --overwrite True: name another place"
        )
    if not overwrite:
        raise ValueError(
            f"{path}: made with other settings: {difference}; pass --overwrite True to replace "
            f"it, or {_ways_out(settings)}"
        )


def _ways_out(settings: Settings) -> str:
    """Return what to do with results that are not to be replaced."""
    if next(iter(settings)).startswith(PREDICTION):
        return "name another --predict_dir"
    return "switch its stage off to use it as it is, or name another place"
