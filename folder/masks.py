"""Ground truth of those images that have it: DIR/semantic and DIR/instance, PNGs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.files.images import image_size, read_label
from misc.files.object_maps import read_class_map, split_objects

KINDS = ("semantic", "instance")


class Masks:
    """The masks of --masks; picklable. Their path below it is the image's, ending in .png.

    A semantic mask holds 0, class id + 1, 255 to be ignored; an instance mask 0, a number for each
    object, 255. An object's class is that of the semantic mask under it, or the image's only one.

    Args:
        root: the folder; None: no image has a mask.
        num_classes: how many classes there are.
    """

    def __init__(self, root: Path | None, num_classes: int) -> None:
        self._root, self._num_classes = root, num_classes
        if root is not None and not any((root / kind).is_dir() for kind in KINDS):
            raise FileNotFoundError(
                f"--masks {root}: has no folder semantic or instance; in them masks lie as the "
                "images do, ending in .png"
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
        objects = _of_size(image, found, read_label(found))
        if self._is_there("semantic", path):
            return split_objects(found, objects, self.semantic(image, path))
        if len(keys) != 1:
            raise FileNotFoundError(
                f"{self._path('semantic', path)}: no such file; it says the class of each object "
                "of an image with several"
            )
        return split_objects(found, objects, np.full(objects.shape, keys[0] + 1, np.uint8))

    def _is_there(self, kind: str, path: str) -> bool:
        if self._root is None:
            return False
        mask = self._path(kind, path)
        return mask.stem in names_in(mask.parent, ".png")

    def _path(self, kind: str, path: str) -> Path:
        if self._root is None:
            raise FileNotFoundError(f"{path}: has no mask; --masks names the folder of masks")
        return self._root / kind / Path(path).with_suffix(".png")


def _of_size(image: Path, path: Path, mask: np.ndarray) -> np.ndarray:
    if mask.shape != (size := image_size(image)):
        raise ValueError(f"{path}: is {mask.shape} pixels, its image is {size}")
    return mask
