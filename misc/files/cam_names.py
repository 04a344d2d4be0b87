"""The names under which programs keep the class attention maps of images."""

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from misc.files.atomic import names_in

ENDINGS = (".npz", ".npy", ".pt")
# An image's map of one class, as a picture.
_PICTURE = re.compile(r"(.+)_(\d{1,3})\.png")
# A name before a number, for example COCO_train2014_: some programs keep it in their files' names.
_PREFIXED = re.compile(r"[A-Za-z]\w*_(\d+)")


def find_cams(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Find an image's CAMs: ours or another program's, of several pictures the first.

    Where one of id and name is a number and the other that number behind a prefix, for example
    `COCO_train2014_000000000009`, they belong together.

    Raises:
        FileNotFoundError: there are none; names the stage that makes them.
        ValueError: files of several names have this number.
    """
    path = Path(folder, f"{image_id}.npz")
    if not path.is_file():  # seen by itself, as a listing may be some milliseconds old
        path = Path(folder, *cam_names(folder, [image_id]))
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no CAMs for this image (nor a .npy, .pt or ID_CLASS.png); the stage make_cam "
            "makes them: --make_cam_pass True, or name a folder that has them with --cam_out_dir"
        )
    return path


def cam_names(folder: str | os.PathLike[str], ids: Sequence[str]) -> list[str]:
    """Return the name of each image's CAMs in a folder: of the first file there, else of ours."""
    images, numbers = _listed(names_in(Path(folder)))
    return [
        next(iter(images.get(_name_of(image_id, images, numbers), [])), f"{image_id}.npz")
        for image_id in ids
    ]


def pictures(path: Path) -> dict[int, Path]:
    """Return by class, from 0, the pictures of the image that this one is of; none of a file."""
    match = _PICTURE.fullmatch(path.name)
    if match is None:
        return {}
    names, _ = _listed(names_in(path.parent))
    named = (_PICTURE.fullmatch(name) for name in names.get(match[1], [path.name]))
    return {int(found[2]): path.with_name(found[0]) for found in named if found}


def _name_of(image_id: str, images: dict[str, list[str]], numbers: dict[str, list[str]]) -> str:
    """Return what an image is called in the names of its files."""
    number = _PREFIXED.fullmatch(image_id)
    named = [name for name in (image_id, number[1] if number else "") if name in images]
    named = named[:1] or numbers.get(image_id, [])
    if len(named) > 1:
        files = " and ".join(images[name][0] for name in named)
        raise ValueError(f"{files} are of the number of {image_id!r}")
    return named[0] if named else image_id


@lru_cache(maxsize=8)
def _listed(names: frozenset[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the CAM files among names by image, and the images that have a prefix by number."""
    images: dict[str, list[str]] = {}
    numbers: dict[str, list[str]] = {}
    for ending in (*ENDINGS, ".png"):
        for name in sorted(name for name in names if name.endswith(ending)):
            picture = _PICTURE.fullmatch(name)
            image_id = picture[1] if picture else name.removesuffix(ending)
            if picture or ending != ".png":
                images.setdefault(image_id, []).append(name)
    for image_id in images:
        if match := _PREFIXED.fullmatch(image_id):
            numbers.setdefault(match[1], []).append(image_id)
    return images, numbers
