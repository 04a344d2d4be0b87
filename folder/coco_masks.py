"""Ground truth in a COCO JSON."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from folder.coco_json import Content, id_of, parse
from folder.index import Index, check_size
from folder.label_files import read_json
from folder.rows import is_background
from folder.tree import EXACT
from misc.files.coco import draw_label, draw_masks

_log = logging.getLogger("irnet")
# The annotations of an image, and its (H, W) where the JSON says it.
Known = tuple[Sequence[Mapping[str, Any]], tuple[int, int] | None]


class CocoMasks:
    """The masks of a COCO JSON, whose categories are classes by their names.

    In the semantic label a later annotation lies over an earlier one; crowds are ignored. An image
    of which an annotation has a box alone has no masks.
    """

    def __init__(self, path: Path, index: Index) -> None:
        self._path, self._index = path, index
        content = parse(path, read_json(path))
        self._known = self._match(content)
        self._class_ids = self._classes_of(content.categories)

    def _match(self, content: Content) -> dict[str, Known]:
        """Return by id what is known of each image with masks; log how many there are."""
        known, boxes = dict[str, Known](), 0
        match = self._index.images.match
        matches = {number: match(name) for number, name in content.images.items()}
        exact = {ids[0] for ids, fit in matches.values() if fit == EXACT}
        for number, (ids, fit) in matches.items():
            if fit != EXACT and exact & set(ids):
                continue  # of another image of this name
            shapes = content.annotations[number]
            if len(ids) == 1 and all(each.get("segmentation") for each in shapes):
                known[ids[0]] = shapes, content.sizes.get(number)
            boxes += len(ids) == 1 and ids[0] not in known
        count = len(self._index.images.paths)
        words = f"masks: {len(known)} of {count} images have some in {self._path}"
        words += f"; {boxes} have boxes without masks" if boxes else ""
        _log.log(logging.INFO if known else logging.WARNING, "%s", words)
        return known

    def _classes_of(self, names: Mapping[str, str]) -> dict[str, int]:
        """Return the class of each category; one that is no class has no annotation."""
        used = {id_of(a, "category_id") for found, _ in self._known.values() for a in found}
        for number in sorted(used):
            name = names[number]
            if name not in self._index.class_names and not is_background(name):
                raise ValueError(
                    f"--masks {self._path}: the category {name!r} is no class; a file "
                    "--class_names names all classes"
                )
        classes = {name: place for place, name in enumerate(self._index.class_names)}
        return {number: classes[name] for number, name in names.items() if name in classes}

    def has(self, kinds: Sequence[str], image_id: str) -> bool:
        """Return whether an image has masks."""
        return image_id in self._known

    def files(self, image_id: str, kind: str) -> list[Path]:
        """Return the file that an image's ground truth is read from."""
        return [self._path]

    def semantic(self, image_id: str) -> np.ndarray:
        """Read the semantic label of an image: uint8 (H, W)."""
        return draw_label(*self._read(image_id))

    def instances(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances of an image: masks, bool (N, H, W), and classes, int64 (N,)."""
        masks, classes, crowds = self._read(image_id)
        return masks[~crowds], classes[~crowds]

    def ignored(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the crowds of an image: masks, bool (M, H, W), and classes, int64 (M,)."""
        masks, classes, crowds = self._read(image_id)
        return masks[crowds], classes[crowds]

    def _read(self, image_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if image_id not in self._known:
            raise FileNotFoundError(f"{image_id}: has no masks in {self._path}")
        annotations, said = self._known[image_id]
        found = [
            (each, self._class_ids[id_of(each, "category_id")], bool(each.get("iscrowd")))
            for each in annotations
            if id_of(each, "category_id") in self._class_ids
        ]
        source = f"{self._path}: the mask of {self._index.images.paths[image_id]}"
        size = check_size(source, said, self._index, image_id)
        masks = draw_masks([annotation for annotation, _, _ in found], size, self._path)
        classes = np.array([class_id for _, class_id, _ in found], np.int64)
        return masks, classes, np.array([is_crowd for _, _, is_crowd in found], bool)
