"""The images of a folder, without labels: what --predict takes in place of a data set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from misc.files.images import read_photograph
from misc.files.photograph_ids import photograph_ids
from misc.imutils import rescale


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """The images of a folder by their ids, as `misc.files.dataset.Images`; picklable.

    Attributes:
        folder: the folder.
        files: the name of each image's file, by its id.
        class_names: the classes that are predicted.
        category_ids: their ids in annotations.
        palette: the colours of labels, uint8 (256, 3).
        long_side: `image` shrinks larger images to it, pixels; 0 shrinks none.
    """

    folder: Path
    files: Mapping[str, str]
    class_names: Sequence[str]
    category_ids: Sequence[int]
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


def photographs_in(folder: str | os.PathLike[str], *, limit: int | None = None) -> dict[str, str]:
    """List the images in a folder: id to name of the file; see `photograph_ids`.

    Hidden files and folders inside are left out.

    Raises:
        FileNotFoundError: there is no such folder, or no image in it.
        ValueError: it is no folder.
    """
    place = Path(folder)
    if not place.exists():
        raise FileNotFoundError(f"--predict {folder}: no such folder")
    if not place.is_dir():
        raise ValueError(f"--predict {folder}: a file; accepted is a folder of images")
    # A link to nothing is a broken image.
    there = sorted(n for n in os.listdir(place) if n[0] != "." and not os.path.isdir(place / n))
    ids = photograph_ids(there, source=f"--predict {folder}")
    return dict(list(ids.items())[:limit])
