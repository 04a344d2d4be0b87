"""Ground truth of those images that have it: DIR/semantic and DIR/instance, PNGs."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from folder.index import Index
from folder.tree import files_below
from misc.files.dataset import KINDS
from misc.files.images import is_turned, photograph_formats, photograph_size, read_numbers
from misc.files.object_maps import read_class_map, split_objects
from misc.imutils import IGNORE

_log = logging.getLogger("irnet")
LOOKED_AT = 20  # masks, to see whether they hold numbers of classes and objects
# In an instance mask of 16 bits, which may number more than 254 objects.
IGNORED_OF_16_BITS = 65535


class Masks:
    """The masks in a folder; their path below it is the image's, ending in .png.

    A semantic mask holds 0, class id + 1, 255 to be ignored; an instance mask 0, a number for each
    object, 255 (of 16 bits 65535). An object's class is that of the semantic mask under it, or the
    image's only one. How many images have a mask, and what fits none, is logged.
    """

    def __init__(self, folder: Path | None, root: Path, index: Index) -> None:
        self._folder, self._root, self._index = folder, root, index
        self._files: dict[str, dict[str, Path]] = {kind: {} for kind in KINDS}
        if folder is None:
            return
        if not any((folder / kind).is_dir() for kind in KINDS):
            raise FileNotFoundError(
                f"--masks {folder}: has no folder semantic or instance; in them masks lie as the "
                "images do, ending in .png"
            )
        images: dict[str, list[str]] = {}
        for image_id, path in index.paths.items():
            images.setdefault(_stem(path), []).append(image_id)
        strays, endings = [], photograph_formats()
        for kind in KINDS:
            for path in sorted(files_below(folder / kind)):
                ending = os.path.splitext(path)[1].lower()
                if ending == ".png" and _stem(path) in images:
                    self._files[kind] |= dict.fromkeys(images[_stem(path)], folder / kind / path)
                elif ending in endings:
                    strays.append(f"{kind}/{path}")
        self._log_fit(folder, strays)
        self._check_values()

    def _log_fit(self, folder: Path, strays: Sequence[str]) -> None:
        paths, found = self._index.paths, {i for files in self._files.values() for i in files}
        words = f"masks: {len(found)} of {len(paths)} images have one"
        if strays:
            words += f"; {len(strays)} files belong to no image, the first is {strays[0]}"
        if not found:
            kind = next(kind for kind in KINDS if (folder / kind).is_dir())
            first = next(iter(paths.values()))
            words += f"; that of {first} is {folder / kind / _stem(first)}.png"
        _log.log(logging.WARNING if strays or not found else logging.INFO, "%s", words)

    def _check_values(self) -> None:
        """Refuse masks of white on black in place of numbers."""
        wanted = {
            "semantic": f"a class is its number, 1 to {len(self._index.class_names)}",
            "instance": "objects are numbered from 1",
        }
        shown = [image_id for image_id, classes in self._index.labels.items() if classes]
        for kind, numbers in wanted.items():
            files = self._files[kind]
            looked_at = [files[image_id] for image_id in shown if image_id in files][:LOOKED_AT]
            # The first that is sound ends it.
            if looked_at and all(map(_is_white_on_black, looked_at)):
                raise ValueError(
                    f"--masks {self._folder}: masks hold only 0 and 255 (ignored), the first is "
                    f"{looked_at[0]}; {numbers}"
                )

    def has(self, kinds: Sequence[str], image_id: str) -> bool:
        """Return whether an image has masks of these kinds, and the classes of its objects."""
        there = {kind for kind in KINDS if image_id in self._files[kind]}
        if "semantic" not in there and len(self._classes(image_id)) != 1:
            there.discard("instance")
        return set(kinds) <= there

    def semantic(self, image_id: str) -> np.ndarray:
        """Read the semantic mask of an image, uint8 (H, W)."""
        path = self._path("semantic", image_id)
        return self._fitting(path, image_id, read_class_map(path, len(self._index.class_names)))

    def instances(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances of an image: masks, bool (N, H, W), and classes, int64 (N,)."""
        path, classes = self._path("instance", image_id), self._classes(image_id)
        objects = self._fitting(path, image_id, read_numbers(path))
        if image_id in self._files["semantic"]:
            semantic = self.semantic(image_id)
        elif len(classes) == 1:
            semantic = np.full(objects.shape, classes[0] + 1, np.uint8)
        else:
            raise FileNotFoundError(
                f"{self._path('semantic', image_id)}: no such file; it says the class of each "
                "object of an image with several"
            )
        ignored = IGNORE if objects.dtype == np.uint8 else IGNORED_OF_16_BITS
        return split_objects(path, objects, semantic, ignored=ignored)

    def files(self, image_id: str, kind: str) -> list[Path]:
        """Return the masks that an image's ground truth of a kind is read from."""
        kinds = {"semantic": ["semantic"], "instance": ["instance", "semantic"]}[kind]
        return [self._files[each][image_id] for each in kinds if image_id in self._files[each]]

    def _classes(self, image_id: str) -> Sequence[int]:
        return self._index.labels.get(image_id, ())

    def _path(self, kind: str, image_id: str) -> Path:
        if self._folder is None:
            raise FileNotFoundError(f"{image_id}: has no mask; --masks names the folder of masks")
        named = f"{_stem(self._index.paths[image_id])}.png"
        return self._files[kind].get(image_id, self._folder / kind / named)

    def _fitting(self, path: Path, image_id: str, mask: np.ndarray) -> np.ndarray:
        image = self._root / self._index.paths[image_id]
        if mask.shape != (size := photograph_size(image)):
            turned = mask.shape == size[::-1] and is_turned(image)
            why = "; EXIF turns the image, and its mask has to be drawn on it so" if turned else ""
            raise ValueError(f"{path}: is {mask.shape} pixels, its image is {size}{why}")
        return mask


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]


def _is_white_on_black(path: Path) -> bool:
    try:
        values = set(np.unique(read_numbers(path)).tolist())
    except (ValueError, OSError):
        return False  # told where it is read
    return IGNORE in values and values <= {0, IGNORE}
