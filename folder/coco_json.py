"""A COCO JSON of a folder, and its categories as labels."""

import logging
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from folder.rows import File, Labels, Row
from folder.tree import normal

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
    for name in ("images", "categories", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise ValueError(
                f"{path}: no list `{name}`; a COCO JSON has images, categories and annotations"
            )
    if any("segments_info" in each for each in content["annotations"]):
        raise ValueError(
            f"{path}: a panoptic COCO JSON, as it has `segments_info`; accepted is one of "
            "instances, for example instances_val2017.json"
        )
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
    if not isinstance(file.content, dict) or not {"annotations", "categories"} & set(file.content):
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
