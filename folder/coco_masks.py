"""Ground truth of a folder in a COCO JSON: polygons and run lengths."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from folder.index import Index
from folder.label_files import read_json
from folder.rows import is_background
from folder.tools import by_id, id_of
from folder.tree import Names
from misc.files.coco import draw_masks
from misc.files.images import photograph_size
from misc.imutils import IGNORE

_log = logging.getLogger("irnet")


class CocoMasks:
    """The masks of a COCO JSON, whose categories are classes by their names.

    In the semantic label a later annotation lies over an earlier one; crowds are ignored. An image
    of which an annotation has a box alone has no masks.
    """

    def __init__(self, path: Path, root: Path, index: Index) -> None:
        self._path, self._root, self._index = path, root, index
        content = read_json(path)
        try:
            names = by_id(content["categories"], "name")
            images = by_id(content["images"], "file_name")
            by_image: dict[str, list[Mapping[str, Any]]] = {number: [] for number in images}
            for annotation in content["annotations"]:
                by_image[id_of(annotation, "image_id")].append(annotation)
            self._known = self._match(images, by_image)
            self._class_ids = self._classes_of(names)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"--masks {path}: no COCO JSON ({error!r})") from error

    def _match(
        self, images: Mapping[str, str], by_image: Mapping[str, list[Mapping[str, Any]]]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Return the annotations of each image by its id; log how many there are."""
        names, known, boxes = Names(self._root, self._index.paths), {}, 0
        for number, name in images.items():
            ids, _ = names.match(name)
            if len(ids) == 1 and all(each.get("segmentation") for each in by_image[number]):
                known[ids[0]] = by_image[number]
            boxes += len(ids) == 1 and ids[0] not in known
        words = f"masks: {len(known)} of {len(self._index.paths)} images have some in {self._path}"
        words += f"; {boxes} have boxes without masks" if boxes else ""
        _log.log(logging.INFO if known else logging.WARNING, "%s", words)
        return known

    def _classes_of(self, names: Mapping[str, str]) -> dict[str, int]:
        """Return the class of each category; one that is no class has no annotation."""
        used = {id_of(a, "category_id") for found in self._known.values() for a in found}
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
        masks, classes, crowds = self._read(image_id)
        label = np.zeros(masks.shape[1:], np.uint8)
        label[masks[crowds].any(axis=0)] = IGNORE
        for mask, class_id in zip(masks[~crowds], classes[~crowds], strict=True):
            label[mask] = class_id + 1
        return label

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
        found = [
            (each, self._class_ids[id_of(each, "category_id")], bool(each.get("iscrowd")))
            for each in self._known[image_id]
            if id_of(each, "category_id") in self._class_ids
        ]
        size = photograph_size(self._root / self._index.paths[image_id])
        masks = draw_masks([annotation for annotation, _, _ in found], size, self._path)
        classes = np.array([class_id for _, class_id, _ in found], np.int64)
        return masks, classes, np.array([is_crowd for _, _, is_crowd in found], bool)
