"""The images of an instances JSON, what is annotated in them, and their files."""

import json
import marshal
import os
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coco.categories import CLASS_OF, NAMES, UNUSED
from misc.files.atomic import names_in

# Where the images of a split are looked for, in this order.
LAYOUTS = ("{}", "images/{}", "JPEGImages/{}", "JPEGImages", "images")
OTHER_CLASSES = "a data set of other classes is read with --dataset folder --labels FILE"


class Image(NamedTuple):
    """An image of an instances JSON.

    Attributes:
        split: of the JSON, with its year: train2017.
        file_name: with or without folders before it.
        number: its id in the JSON.
        size: (H, W).
        labels: int64 (A, 2), in the file's order: the class from 0, and 1 for a crowd.
        packed: the annotations, of which each has its `segmentation` packed by itself.
    """

    split: str
    file_name: str
    number: int
    size: tuple[int, int]
    labels: np.ndarray
    packed: bytes

    def classes(self, *, crowds: bool) -> list[int]:
        """Return the classes of the annotations, from 0 and rising, with or without crowds."""
        return sorted({c for c, crowd in self.labels.tolist() if crowds or not crowd})

    def annotations(self) -> list[dict[str, Any]]:
        """Return the annotations as the JSON has them, in the file's order."""
        found = marshal.loads(self.packed)
        return [each | {"segmentation": marshal.loads(each["segmentation"])} for each in found]


def read_instances(jsons: Mapping[str, Path]) -> dict[str, Image]:
    """Read the images of instances JSONs, given by split, in their order.

    An image's id is the stem of its file's name. What is odd in a JSON is a ValueError.
    """
    images: dict[str, Image] = {}
    for split, path in jsons.items():
        found = _read_split(path, split)
        if both := images.keys() & found.keys():
            raise ValueError(f"{path}: {jsons[images[min(both)].split]} has {min(both)!r}, too")
        images |= found
    return images


def _read_split(path: Path, split: str) -> dict[str, Image]:
    lists = _read_lists(path)
    listed: dict[int, tuple[str, tuple[int, int]]] = {}
    labels, annotations = defaultdict[int, list[Any]](list), defaultdict[int, list[Any]](list)

    def take_image(image: Any) -> None:
        if (number := int(image["id"])) in listed:
            raise ValueError(f"two images have the id {number}")
        size = int(image["height"]), int(image["width"])
        listed[number] = _file_name(image["file_name"]), size

    def take_annotation(annotation: Any) -> None:
        if (number := int(annotation["image_id"])) not in listed:
            raise ValueError(f"is of the image {number}, which is not listed")
        crowd = bool(annotation.get("iscrowd", 0))
        labels[number].append((_class_of(int(annotation["category_id"])), crowd))
        annotations[number].append(annotation)

    takers = {
        "categories": _check_category,
        "images": take_image,
        "annotations": take_annotation,
    }
    for name, take in takers.items():
        for place, element in enumerate(lists.get(name, ())):
            try:
                take(element)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
                reason = error if isinstance(error, ValueError) else f"no instances JSON: {error!r}"
                raise ValueError(f"{path}: {name}[{place}]: {reason}") from error
    images: dict[str, Image] = {}
    for number, (name, size) in listed.items():
        if (image_id := _stem(name)) in images:
            raise ValueError(f"{path}: two images have the file name {image_id!r}")
        table = np.array(labels[number], np.int64).reshape(-1, 2)
        packed = marshal.dumps(annotations.pop(number, []))
        images[image_id] = Image(split, name, number, size, table, packed)
    return images


def _read_lists(path: Path) -> dict[str, list[Any]]:
    """Return the lists of an instances JSON by name."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            content = json.load(file, object_hook=_pack)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: is cut short, or no JSON ({error}); download it again"
        ) from error
    values = content if isinstance(content, dict) else {}
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    if not lists.get("images") or "annotations" not in lists:
        lacking = "annotations is missing" if lists.get("images") else "images is missing or empty"
        raise ValueError(
            f"{path}: no instances JSON of COCO, its list of {lacking}; it has "
            f"{', '.join(sorted(lists)) or 'no list at all'}"
        )
    return lists


def _pack(found: dict[str, Any]) -> dict[str, Any]:
    """Pack the outline of an annotation: as numbers, those of all images take gigabytes."""
    if "image_id" in found:
        found["segmentation"] = marshal.dumps(found.get("segmentation"))
    return found


def find_files(root: Path, images: Mapping[str, Image]) -> dict[str, str]:
    """Return the path below `root` of each image that has a file, in the first layout that has it.

    A folder is listed once: it may be on a network disk.
    """
    files, names_of = dict[str, str](), cache(lambda folder: names_in(root / folder))
    for image_id, image in images.items():
        inside, _, name = image.file_name.rpartition("/")
        prefix = f"COCO_{image.split}_"
        spellings = (name, prefix + name, name.removeprefix(prefix))
        folders = (*(layout.format(image.split) for layout in LAYOUTS), inside or ".")
        places = (f"{f}/{n}" for f in folders for n in spellings if n in names_of(f))
        if (place := next(places, None)) is not None:
            files[image_id] = place
    return files


def _class_of(category: int) -> int:
    """Return the class of a category id."""
    if not NAMES.get(category):
        raise ValueError(
            f"has the category {category!r}; COCO's are 1 to 90 without "
            f"{', '.join(map(str, UNUSED))}; other classes are read with --dataset folder"
        )
    return int(CLASS_OF[category])


def _check_category(listed: Any) -> None:
    category, name = int(listed["id"]), str(listed["name"])
    expected = NAMES.get(category)
    if expected is None or (expected and name.strip().lower() != expected):
        ours = "COCO has none of that id" if expected is None else f"COCO's is {expected!r}"
        raise ValueError(f"category {category} is {name!r}, {ours}; {OTHER_CLASSES}")


def _file_name(name: Any) -> str:
    leads_out = name.startswith("/") or ".." in name or "\\" in name
    if leads_out or not name.isprintable() or not _stem(name):
        raise ValueError(f"no file name: {name!r}")
    return str(name)


def _stem(name: str) -> str:
    return os.path.splitext(name.rpartition("/")[2])[0]  # pathlib takes seconds for 120,000
