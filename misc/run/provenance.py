"""Claims of folders and weights for a run's settings, so that different results never mix.

A run with other settings is refused with the flag and stage that differ, and a second run at the
same time with the first one's host and process. Results without a record are not ours, and are
never replaced.
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
from misc.machine import ranks
from misc.run.code import tell_other_code
from misc.run.records import (
    FOLDER_RECORD,
    Record,
    Settings,
    difference_of,
    images_of,
    new_record,
    read_record,
    record_of,
)
from misc.settings.metadata import record_path

PREDICTION = "predict"  # what the settings of --predict, which is no stage, begin with


def claim_folder(
    folder: str | os.PathLike[str],
    settings: Settings,
    *,
    files: Sequence[str],
    images: Iterable[str] | Mapping[str, str],
    overwrite: bool = False,
) -> None:
    """Lock an output folder, and create it for these settings or continue one with the same.

    Args:
        folder: the output folder.
        settings: all that shapes the outputs.
        files: names of the files that the stage writes into it; see misc.files.outputs.
        images: the ids of the images to write; perhaps with what identifies each one's file.
        overwrite: delete what the stage made with other settings or of other images, and nothing
            else.

    Raises:
        ValueError: the folder holds outputs of other settings or images, of another stage, or of
            unknown origin, the last two are not replaced; or another run is writing to it.
    """
    listed = images if isinstance(images, Mapping) else dict.fromkeys(images, "")
    ranks.on_first(lambda: _claim_folder(Path(folder), settings, files, listed, overwrite))


def _claim_folder(
    folder: Path,
    settings: Settings,
    files: Sequence[str],
    images: Mapping[str, str],
    overwrite: bool,
) -> None:
    hold(folder)
    path = folder / FOLDER_RECORD
    record = read_record(path)
    difference = _check(folder, record, settings, overwrite)
    known = {} if record is None else images_of(record)
    earlier = [] if record is None else record.get("files", [])
    written = list(dict.fromkeys([*earlier, *files]))
    if difference:
        remove_outputs(folder, written, known)
        record, known, written = None, {}, list(files)
    changed = [i for i in images if known.get(i, images[i]) != images[i]]
    # An image that could not be read has no files, and may have been repaired.
    if there := [i for i in changed if any(p.exists() for p in image_files(folder, written, i))]:
        if not overwrite:
            raise ValueError(
                f"{folder}: holds results of another {known[there[0]] or there[0]} ({len(there)} "
                f"such images); pass --overwrite True to replace them, or {_ways_out(settings)}"
            )
        remove_outputs(folder, [name for name in written if "{}" in name], there)
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder, seconds=0)
    if record is not None:
        tell_other_code(folder, record.get("code", {}))
    now = {**known, **images}
    if record is None or now != record.get("images") or written != earlier:
        # Written before the images' files, so that each of them is known to be ours.
        made = {} if record is None else {"code": record.get("code", {})}
        write_json(path, new_record(settings, list(now)) | made | {"files": written, "images": now})


def remove_recorded(folder: str | os.PathLike[str], files: Sequence[str]) -> None:
    """Delete these files of all images that a claimed folder is of; see misc.files.outputs."""
    record = read_record(Path(folder, FOLDER_RECORD))
    remove_outputs(folder, files, {} if record is None else images_of(record))


def hold_sources(places: Iterable[str | os.PathLike[str]]) -> None:
    """Keep other runs from replacing the folders and weights of ours that this one reads.

    Raises:
        ValueError: another run is writing to one.
    """
    for place in places:
        if record_of(place).exists():
            hold(place, to_read=True)


def claim_weights(
    path: str | os.PathLike[str],
    settings: Settings,
    *,
    notes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> bool:
    """Lock a weights file, and claim it and the checkpoint beside it for these settings.

    Args:
        path: the weights file.
        settings: all that shapes it.
        notes: what else its record says: the network's metadata, the images.
        overwrite: delete weights of other settings.

    Returns:
        whether the weights are finished: they exist, made with these settings.

    Raises:
        ValueError: weights or checkpoint were made with other settings, by another stage, or are
            of unknown origin, the last two are not replaced; or another run is writing them.
    """
    return ranks.on_first(lambda: _claim_weights(Path(path), settings, notes or {}, overwrite))


def _claim_weights(
    path: Path, settings: Settings, notes: Mapping[str, Any], overwrite: bool
) -> bool:
    hold(path)
    beside, checkpoint = record_path(path), checkpoint_path(path)
    record = read_record(beside)
    if _check(path, record, settings, overwrite):
        record = None
    remove_abandoned(path.parent, path.name, seconds=0)
    finished = record is not None and path.exists()
    if record is None:
        path.unlink(missing_ok=True)
    if record is None or finished:  # finished: a run was killed after its last file
        checkpoint.unlink(missing_ok=True)
    if record is not None:
        tell_other_code(path, record.get("code", {}))
    noted = (new_record(settings) if record is None else record) | json.loads(json.dumps(notes))
    if noted != record:
        # Written before the training, so that a checkpoint always has its settings beside it.
        write_json(beside, noted)
    return finished


def confirm_weights(path: str | os.PathLike[str], settings: Settings) -> None:
    """Raise ValueError where weights, just before they are written, are not claimed as they were.

    A file system without locks does not keep another run from claiming them.
    """
    record = read_record(record_path(path))
    if record is None or difference_of(record, settings):
        raise ValueError(
            f"{path}: another run has claimed it with other settings during this training; it is "
            "not written: name another place and train again"
        )


def checkpoint_path(weights: Path) -> Path:
    """Return the path of the checkpoint of the training that will write a weights file."""
    return weights.with_name(f"{weights.name}.checkpoint")


def check_claim(
    path: str | os.PathLike[str], stage: str, known: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Raise as claiming a folder or weights will, by those settings of its stage that are known."""
    place = Path(path)
    record = read_record(record_of(place))
    found = {} if record is None else dict(record["stages"])
    is_own = next(iter(found), stage) == stage
    settings = found | {stage: found.get(stage, {}) | known} if is_own else {stage: known}
    _check(place, record, settings, overwrite)


def _check(place: Path, record: Record | None, settings: Settings, overwrite: bool) -> str:
    """Return the difference from a record; ValueError where results may not be replaced."""
    result = next(_results(place, is_ours=record is not None), None)
    if record is None:
        if result is not None:
            raise ValueError(
                f"{result}: not made by this program ({record_of(place).name} does not say so) and "
                f"not replaced, even with --overwrite True; {_ways_out(settings)}"
            )
        return ""
    difference = difference_of(record, settings)
    if not difference or result is None:
        return difference
    (was, *_), (now, *_) = record["stages"], settings
    if was != now:
        raise ValueError(
            f"{place}: made by the stage {was}, and {now} would write there; it is not replaced, "
            "even with --overwrite True: name another place"
        )
    if not overwrite:
        raise ValueError(
            f"{place if place.is_dir() else result}: made with other settings: {difference}; pass "
            f"--overwrite True to replace it, or {_ways_out(settings)}"
        )
    return difference


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
    if next(iter(settings)).startswith(PREDICTION):
        return "name another --predict_dir"
    return "switch its stage off to use it as it is, or name another place"
