"""The names under which programs keep the class attention maps of images."""

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from misc.files.atomic import names_in

ENDINGS = (".npz", ".npy", ".pt")
# A name before a number, as COCO_train2014_ is: some programs keep it in their files' names.
_PREFIXED = re.compile(r"[A-Za-z]\w*_(\d+)")


def cam_path(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Return the path of an image's CAMs in our format."""
    return Path(folder) / f"{image_id}.npz"


def find_cams(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Find an image's CAMs, ours (`.npz`) or another program's (`.npz`, `.npy`, `.pt`).

    Where one of id and name is a number and the other that number behind a prefix, as in
    `COCO_train2014_000000000009`, they belong together.

    Raises:
        FileNotFoundError: there are none; names the stage that makes them.
        ValueError: several files have this number.
    """
    place = cam_path(folder, image_id)
    if not place.is_file():  # seen by itself, as a listing may be some milliseconds old
        place = Path(folder, *cam_names(folder, [image_id]))
    if not place.is_file():
        raise FileNotFoundError(
            f"{place}: no CAMs for this image (nor a .npy or .pt); the stage make_cam makes them: "
            "--make_cam_pass True, or name a folder that has them with --cam_out_dir"
        )
    return place


def cam_names(folder: str | os.PathLike[str], ids: Sequence[str]) -> list[str]:
    """Return the name of each image's CAMs in a folder: of the file there, else of ours."""
    place = Path(folder)
    names = names_in(place)
    return [_existing_name(place, names, image_id) for image_id in ids]


def _existing_name(folder: Path, names: frozenset[str], image_id: str) -> str:
    ours = f"{image_id}{ENDINGS[0]}"
    if not names or ours in names:
        return ours
    match = _PREFIXED.fullmatch(image_id)
    stems = [image_id, match[1]] if match else [image_id]
    named = [stem + ending for stem in stems for ending in ENDINGS if stem + ending in names][:1]
    if not named and image_id.isdecimal():
        named = _by_number(names).get(image_id, [])
    if len(named) > 1:
        raise ValueError(f"{folder}: {' and '.join(named)} are of the number of {image_id!r}")
    return named[0] if named else ours


@lru_cache(maxsize=8)
def _by_number(names: frozenset[str]) -> dict[str, list[str]]:
    """Collect the CAM files whose names are a number behind a prefix, by that number."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        stem, ending = os.path.splitext(name)
        match = _PREFIXED.fullmatch(stem)
        if match and ending in ENDINGS:
            found.setdefault(match[1], []).append(name)
    return found
