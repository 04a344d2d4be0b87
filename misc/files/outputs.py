"""The files that a stage writes into a folder, described once, by names.

In a name `{}` is an image's id, and `*` the numbers of files of which an image has any number.
What is written, which images are finished and what is removed follow from these names.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from misc.files.atomic import is_temporary, remove_abandoned


def image_files(folder: str | os.PathLike[str], files: Sequence[str], image_id: str) -> list[Path]:
    """Return the paths of an image's files; where all of them are there, it is finished."""
    return [Path(folder, n.replace("{}", image_id)) for n in files if "{}" in n and "*" not in n]


def remove_outputs(
    folder: str | os.PathLike[str], files: Sequence[str], images: Iterable[str]
) -> None:
    """Delete the files of these images and those of no image, and folders that are then empty."""
    ids = set(images)
    for name in files:
        for path in _paths(Path(folder), name, ids):
            path.unlink(missing_ok=True)
    inner = {parent for name in files for parent in PurePosixPath(name).parents}
    for parent in sorted(inner - {PurePosixPath()}, key=lambda inner: -len(inner.parts)):
        place = Path(folder, parent)
        if place.is_dir() and all(map(is_temporary, place.iterdir())):
            remove_abandoned(place, seconds=0)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _paths(folder: Path, name: str, ids: set[str]) -> Iterator[Path]:
    place = folder / PurePosixPath(name).parent
    if "{}" not in name:
        yield folder / name
    elif "*" not in name:
        yield from (folder / name.replace("{}", image_id) for image_id in ids)
    elif place.is_dir():
        words = re.escape(PurePosixPath(name).name)
        pattern = re.compile(words.replace(r"\{\}", "(.+)").replace(r"\*", r"\d+"), re.DOTALL)
        for path in list(place.iterdir()):
            found = pattern.fullmatch(path.name)
            if found and found[1] in ids:
                yield path
