"""Ground truth of those images that have it: DIR/semantic and DIR/instance, PNGs."""

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from folder.tree import files_below
from misc.files.images import is_turned, photograph_formats, photograph_size, read_numbers
from misc.files.object_maps import read_class_map, split_objects
from misc.imutils import IGNORE
from misc.running.log import logger

KINDS = ("semantic", "instance")
LOOKED_AT = 20  # masks, to see whether they hold numbers of classes and objects
# In an instance mask of 16 bits, which may number more than 254 objects.
IGNORED_OF_16_BITS = 65535


class Masks:
    """The masks of --masks; picklable. Their path below it is the image's, ending in .png.

    A semantic mask holds 0, class id + 1, 255 to be ignored; an instance mask 0, a number for each
    object, 255 (of 16 bits 65535). An object's class is that of the semantic mask under it, or the
    image's only one.

    Args:
        root: the folder; None: no image has a mask.
        class_names: the names of the classes.
        images: the paths of all images; the folder is listed once, and what fits none is logged.

    Raises:
        FileNotFoundError: `root` has neither folder.
    """

    def __init__(
        self, root: Path | None, class_names: Sequence[str], images: Sequence[str]
    ) -> None:
        self._root, self._num_classes = root, len(class_names)
        self._files: Mapping[str, Mapping[str, str]] = {kind: {} for kind in KINDS}
        if root is None:
            return
        if not any((root / kind).is_dir() for kind in KINDS):
            raise FileNotFoundError(
                f"--masks {root}: has no folder semantic or instance; in them masks lie as the "
                "images do, ending in .png"
            )
        listed = {kind: sorted(files_below(root / kind)) for kind in KINDS}
        self._files = {kind: _by_stem(listed[kind]) for kind in KINDS}
        self._log_fit(root, listed, images)

    def _log_fit(
        self, root: Path, listed: Mapping[str, Sequence[str]], images: Sequence[str]
    ) -> None:
        """Log how many images have a mask, and which files are of none."""
        stems, endings = {_stem(path) for path in images}, photograph_formats()
        found = stems & {stem for kind in KINDS for stem in self._files[kind]}
        strays = [
            f"{kind}/{path}"
            for kind in KINDS
            for path in listed[kind]
            if os.path.splitext(path)[1].lower() in endings
            and not (_stem(path) in stems and self._files[kind].get(_stem(path)) == path)
        ]
        words = f"masks: {len(found)} of {len(stems)} images have one"
        if strays:
            words += f"; {len(strays)} files belong to no image, the first is {strays[0]}"
        if not found and images:
            kind = next(kind for kind in KINDS if (root / kind).is_dir())
            words += f"; that of {images[0]} is {root / kind / _stem(images[0])}.png"
        (logger.warning if strays or not found else logger.info)("%s", words)

    def check_values(self, images: Sequence[str]) -> None:
        """Look whether masks hold numbers, not white on black.

        Args:
            images: the paths of images that show a class.

        Raises:
            ValueError: the masks looked at hold 0 and 255 alone.
        """
        wanted = {
            "semantic": f"a class is its number, 1 to {self._num_classes}",
            "instance": "objects are numbered from 1",
        }
        for kind, numbers in wanted.items():
            there = (path for path in images if self._is_there(kind, path))
            looked_at = [self._path(kind, path) for path in islice(there, LOOKED_AT)]
            # The first that is sound ends it.
            if looked_at and all(map(_is_white_on_black, looked_at)):
                raise ValueError(
                    f"--masks {self._root}: masks hold only 0 and 255 (ignored), the first is "
                    f"{looked_at[0]}; {numbers}"
                )

    def has(self, kinds: Sequence[str], path: str, keys: np.ndarray) -> bool:
        """Return whether an image has masks of all these kinds.

        Args:
            kinds: `semantic`, `instance`.
            path: that of the image.
            keys: the classes in its label.
        """
        there = {kind for kind in KINDS if self._is_there(kind, path)}
        classes_known = "semantic" in there or len(keys) == 1
        return set(kinds) <= (there if classes_known else there - {"instance"})

    def semantic(self, image: Path, path: str) -> np.ndarray:
        """Read the semantic mask of an image, uint8 (H, W)."""
        found = self._path("semantic", path)
        return _of_size(image, found, read_class_map(found, self._num_classes))

    def instances(self, image: Path, path: str, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances of an image: masks, bool (N, H, W), and classes, int64 (N,)."""
        found = self._path("instance", path)
        objects = _of_size(image, found, read_numbers(found))
        ignored = IGNORE if objects.dtype == np.uint8 else IGNORED_OF_16_BITS
        if self._is_there("semantic", path):
            return split_objects(found, objects, self.semantic(image, path), ignored=ignored)
        if len(keys) != 1:
            raise FileNotFoundError(
                f"{self._path('semantic', path)}: no such file; it says the class of each object "
                "of an image with several"
            )
        semantic = np.full(objects.shape, keys[0] + 1, np.uint8)
        return split_objects(found, objects, semantic, ignored=ignored)

    def files(self, path: str, kind: str) -> list[Path]:
        """Return the masks that an image's ground truth of a kind is read from."""
        kinds = {"semantic": ["semantic"], "instance": ["instance", "semantic"]}[kind]
        return [self._path(each, path) for each in kinds if self._is_there(each, path)]

    def _is_there(self, kind: str, path: str) -> bool:
        return _stem(path) in self._files[kind]

    def _path(self, kind: str, path: str) -> Path:
        if self._root is None:
            raise FileNotFoundError(f"{path}: has no mask; --masks names the folder of masks")
        stem = _stem(path)
        return self._root / kind / self._files[kind].get(stem, f"{stem}.png")


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]


def _by_stem(paths: Sequence[str]) -> dict[str, str]:
    """Return the PNGs by their path without ending; of .PNG and .png the latter."""
    return {_stem(p): p for p in paths if os.path.splitext(p)[1].lower() == ".png"}


def _is_white_on_black(path: Path) -> bool:
    try:
        values = set(np.unique(read_numbers(path)).tolist())
    except (ValueError, OSError):
        return False  # told where it is read
    return IGNORE in values and values <= {0, IGNORE}


def _of_size(image: Path, path: Path, mask: np.ndarray) -> np.ndarray:
    if mask.shape != (size := photograph_size(image)):
        turned = mask.shape == size[::-1] and is_turned(image)
        why = "; EXIF turns the image, and its mask has to be drawn on it so" if turned else ""
        raise ValueError(f"{path}: is {mask.shape} pixels, its image is {size}{why}")
    return mask
