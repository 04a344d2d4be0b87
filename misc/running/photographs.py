"""The images of a folder, without labels: what --predict takes in place of a data set."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from misc.files.images import photograph_formats, read_photograph
from misc.imutils import rescale
from misc.running.log import logger


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """The images of a folder by their ids, as `misc.running.dataset.Images`; picklable.

    Attributes:
        folder: the folder.
        files: the name of each image's file, by its id.
        class_names: the classes that are predicted.
        palette: the colours of labels, uint8 (256, 3).
        long_side: `image` shrinks larger images to it, pixels; 0 shrinks none.
    """

    folder: Path
    files: Mapping[str, str]
    class_names: Sequence[str]
    palette: np.ndarray
    long_side: int = 0

    def image(self, image_id: str) -> np.ndarray:
        """Read an image as the networks take it; raises as `read_photograph`."""
        image = self.whole_image(image_id)
        share = self.long_side / max(image.shape[:2])
        return rescale(image, share) if 0 < share < 1 else image

    def whole_image(self, image_id: str) -> np.ndarray:
        """Read an image in its own size; raises as `read_photograph`."""
        return read_photograph(self.folder / self.files[image_id])

    def problem(self, image_id: str) -> str:
        """Return in one line why an image cannot be read; empty where it can."""
        try:
            self.whole_image(image_id)
        except (ValueError, OSError) as error:
            return str(error).splitlines()[0]
        return ""

    def identity(self, image_id: str) -> list[str | int]:
        """Return the name and the bytes of an image's file; -1 of a link to nothing."""
        path = self.folder / self.files[image_id]
        return [path.name, path.stat().st_size if path.exists() else -1]


def photographs_in(folder: str | os.PathLike[str], *, limit: int | None = None) -> dict[str, str]:
    """List the images in a folder, by the endings of their names: id to name of the file.

    The id is the name without its ending, or with it where several files differ in nothing else.
    Hidden files and folders inside are left out.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is no folder, or there is no image in it.
    """
    place = Path(folder)
    if not place.exists():
        raise FileNotFoundError(f"--predict {folder}: no such folder")
    if not place.is_dir():
        raise ValueError(f"--predict {folder}: a file; accepted is a folder of images")
    endings = photograph_formats()
    there = sorted(e.name for e in os.scandir(place) if _is_file(e) and not e.name.startswith("."))
    names = [name for name in there if os.path.splitext(name)[1].lower() in endings]
    if not names:
        raise ValueError(
            f"--predict {folder}: no image in it ({len(there)} other files); accepted are "
            ".jpg, .png and whatever else Pillow reads, not in folders inside"
        )
    if len(names) < len(there):
        logger.info("%s: %d files are no images", folder, len(there) - len(names))
    stems = [os.path.splitext(name)[0] for name in names]
    count = Counter(stems)
    ids = [s if count[s] == 1 else name for s, name in zip(stems, names, strict=True)]
    return dict(list(zip(ids, names, strict=True))[:limit])


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a file, or a link to none, which is said to be broken."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
