"""A COCO JSON of a folder: its categories as labels, its polygons and run lengths as masks."""

import logging
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from folder.label_files import normal, read_json
from folder.rows import File, Labels, Row, is_background
from folder.tree import Names
from misc.files.coco import draw_masks
from misc.files.images import is_turned, photograph_size
from misc.imutils import IGNORE

_log = logging.getLogger("irnet")


class Content(NamedTuple):
    """What counts of a COCO JSON; ids are text, as some write the number 1 here and "1" there.

    Attributes:
        categories: names by id.
        above: names of groups of categories.
        images: file names by id.
        sizes: (H, W) by the id of those images of which it is said.
        annotations: by the id of their image.
    """

    categories: dict[str, str]
    above: set[str]
    images: dict[str, str]
    sizes: dict[str, tuple[int, int]]
    annotations: dict[str, list[Mapping[str, Any]]]


def parse(path: Path, content: Any) -> Content:
    """Return what counts of a COCO JSON; `path` is its file, for messages."""
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise ValueError(f"{path}: a COCO JSON without its list `images`, or no COCO JSON")
    try:
        categories = _by_id(content["categories"], "name")
        images = _by_id(content["images"], "file_name")
        sizes = {
            id_of(image, "id"): (int(image["height"]), int(image["width"]))
            for image in content["images"]
            if image.get("height") and image.get("width")
        }
        annotations: dict[str, list[Mapping[str, Any]]] = {image: [] for image in images}
        for annotation in content["annotations"]:
            image, category = (id_of(annotation, key) for key in ("image_id", "category_id"))
            if image not in images or category not in categories:
                lacking = f"image {image}" if image not in images else f"category {category}"
                raise ValueError(f"an annotation of {lacking}, which it does not list")
            annotations[image].append(annotation)
        above = {c.get("supercategory") for c in content["categories"]}
        above -= {c["name"] for c in content["categories"] if c.get("supercategory") == c["name"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: no COCO JSON ({error!r})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Content(categories, above, images, sizes, annotations)


def labels_of_coco(file: File) -> Labels | None:
    """COCO: the categories of an image's annotations; one that only groups others is no class."""
    if not isinstance(file.content, dict) or "annotations" not in file.content:
        return None
    found = parse(file.path, file.content)
    names = found.categories
    rows = [
        Row(
            f"{file.path}, image {number}",
            name,
            [names[id_of(each, "category_id")] for each in found.annotations[number]],
        )
        for number, name in found.images.items()
    ]
    used = {name for row in rows for name in row.classes}
    ordered = dict.fromkeys(names[i] for i in sorted(names, key=lambda i: (len(i), i)))
    if groups := [name for name in ordered if name in found.above and name not in used]:
        listed = ", ".join(groups)
        _log.warning("%s: groups of categories, and no classes: %s", file.path, listed)
    return Labels(rows, [name for name in ordered if name not in groups])


class CocoMasks:
    """The masks of a COCO JSON, whose categories are classes by their names.

    In the semantic label a later annotation lies over an earlier one; crowds are ignored. An image
    of which an annotation has a box alone has no masks.
    """

    def __init__(
        self, path: Path, root: Path, *, paths: Mapping[str, str], class_names: Sequence[str]
    ) -> None:
        self._path, self._root, self._paths, self._class_names = path, root, paths, class_names
        content = parse(path, read_json(path))
        self._sizes: dict[str, tuple[int, int] | None] = {}
        self._known = self._match(content)
        self._class_ids = self._classes_of(content.categories)

    def _match(self, content: Content) -> dict[str, list[Mapping[str, Any]]]:
        """Return the annotations of each image by its id; log how many there are."""
        names, known, boxes = Names(self._root, self._paths), {}, 0
        for number, name in content.images.items():
            ids, _ = names.match(name)
            shapes = content.annotations[number]
            if len(ids) == 1 and all(each.get("segmentation") for each in shapes):
                known[ids[0]] = shapes
                self._sizes[ids[0]] = content.sizes.get(number)
            boxes += len(ids) == 1 and ids[0] not in known
        words = f"masks: {len(known)} of {len(self._paths)} images have some in {self._path}"
        words += f"; {boxes} have boxes without masks" if boxes else ""
        _log.log(logging.INFO if known else logging.WARNING, "%s", words)
        return known

    def _classes_of(self, names: Mapping[str, str]) -> dict[str, int]:
        """Return the class of each category; one that is no class has no annotation."""
        used = {id_of(a, "category_id") for found in self._known.values() for a in found}
        for number in sorted(used):
            name = names[number]
            if name not in self._class_names and not is_background(name):
                raise ValueError(
                    f"--masks {self._path}: the category {name!r} is no class; a file "
                    "--class_names names all classes"
                )
        classes = {name: place for place, name in enumerate(self._class_names)}
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
        image = self._root / self._paths[image_id]
        size = photograph_size(image)
        if (said := self._sizes[image_id] or size) != size:
            why = "; EXIF turns the image, and its masks have to be drawn on it so"
            raise ValueError(
                f"{self._path}: says that {image} is {said} pixels, it is {size}"
                f"{why if said == size[::-1] and is_turned(image) else ''}"
            )
        masks = draw_masks([annotation for annotation, _, _ in found], size, self._path)
        classes = np.array([class_id for _, class_id, _ in found], np.int64)
        return masks, classes, np.array([is_crowd for _, _, is_crowd in found], bool)


def _by_id(parts: Sequence[Mapping[str, Any]], key: str) -> dict[str, str]:
    found = {id_of(part, "id"): normal(str(part[key])) for part in parts}
    if len(found) < len(parts):
        raise ValueError("an id of its images or categories is in it twice")
    return found


def id_of(part: Mapping[str, Any], key: str) -> str:
    """Return an id of a COCO JSON as text."""
    value = part[key]
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"the {key} {reprlib.repr(value)} is neither a number nor text")
    return str(value)
