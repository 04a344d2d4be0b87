"""COCO's instance annotations: masks as run lengths or polygons, labels, records, one JSON."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from pycocotools import mask as runs

from misc.imutils import IGNORE
from misc.masks import bounding_boxes

_log = logging.getLogger("irnet.files")


class Described(NamedTuple):
    """An image as annotations list it: its id, file name, (H, W) and `instance_records`."""

    number: int
    file_name: str
    size: tuple[int, int]
    records: Sequence[Mapping[str, Any]]


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Encode a mask, bool (H, W), as compressed run lengths that JSON takes."""
    found = runs.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


def encode_polygons(mask: np.ndarray) -> dict[str, Any]:
    """Outline a mask, bool (H, W), that is not empty, as fields of an annotation.

    They are `segmentation`, the outer ring of each part: x, y, x, y and so on, along the edges of
    pixels; and `holes`, the number of holes, which these rings fill.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    part = mask[top : top + height, left : left + width].view(np.uint8)
    # OpenCV traces pixel centres. Of pixels half as wide, those at both sides of an edge differ
    # by one, and halving them, rounded, gives the edge.
    doubled = cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    rings, levels = cv2.findContours(
        doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(2 * left, 2 * top)
    )
    outer = [ring for ring, (*_, around) in zip(rings, levels[0], strict=True) if around < 0]
    # Where a slope makes stairs of its pixels, half a pixel leaves the shape and fewer points.
    edges = [cv2.approxPolyDP((ring + 1) // 2, 0.5, closed=True) for ring in outer]
    segmentation: list[list[float]] = [ring.ravel().tolist() for ring in edges]
    return {"segmentation": segmentation, "holes": len(rings) - len(outer)}


def draw_masks(
    annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], source: object
) -> np.ndarray:
    """Draw the masks of annotations in an image of (H, W): bool (N, H, W); `source` is their file.

    They are polygons in any number of parts, or run lengths.
    """
    masks = np.zeros((len(annotations), *size), bool)
    for mask, annotation in zip(masks, annotations, strict=True):
        try:
            mask[:] = runs.decode(_run_lengths(annotation["segmentation"], *size))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise ValueError(
                f"{source}: the annotation {annotation.get('id')} has no mask of an image of "
                f"{size}; a mask is polygons of three points or more, or run lengths that fill "
                "the image"
            ) from error
    return masks


def draw_label(
    masks: np.ndarray,
    classes: np.ndarray,
    crowd: np.ndarray,
    *,
    small_first: bool = False,
    ignore_crowds: bool = True,
) -> np.ndarray:
    """Draw a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore.

    Of masks, bool (N, H, W), later ones lie over earlier ones, or those of fewer pixels over
    larger ones. Crowds, bool (N,), lie under all else, as ignored or as background.
    """
    order = np.arange(len(masks))
    if small_first:
        order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
    label = np.zeros(masks.shape[1:], np.uint8)
    if ignore_crowds:
        label[masks[crowd].any(axis=0)] = IGNORE
    for number in order[~crowd[order]]:
        label[masks[number]] = classes[number] + 1
    return label


def _run_lengths(shape: Any, height: int, width: int) -> Any:
    if isinstance(shape, list):
        # pycocotools takes what is not of points for other shapes, or drops the last number.
        if any(len(polygon) < 6 or len(polygon) % 2 for polygon in shape):
            raise ValueError("no polygon")
        return runs.merge(runs.frPyObjects(shape, height, width))
    if list(shape["size"]) != [height, width]:
        raise ValueError("another size")
    if isinstance(shape["counts"], str):
        return shape
    # Where runs do not fill the image, pycocotools leaves what was in memory.
    if sum(shape["counts"]) != height * width:
        raise ValueError("runs that do not fill the image")
    return runs.frPyObjects(shape, height, width)


def instance_records(
    detections: Mapping[str, np.ndarray], categories: Sequence[int], *, polygons: bool = False
) -> list[dict[str, Any]]:
    """Describe an image's instances as COCO does, without ids, and with scores.

    Args:
        detections: `mask` bool (N, H, W), none of them empty, `class` int (N,) from 0 and `score`
            float (N,).
        categories: the category id of each class.
        polygons: whether masks are outlined, see `encode_polygons`, or compressed run lengths.
    """
    records = []
    boxes = bounding_boxes(detections["mask"])
    for mask, (left, top, right, bottom), class_id, score in zip(
        detections["mask"], boxes.tolist(), detections["class"], detections["score"], strict=True
    ):
        shape = encode_polygons(mask) if polygons else {"segmentation": encode_rle(mask)}
        records.append(
            {
                "category_id": categories[int(class_id)],
                **shape,
                "area": int(mask.sum()),
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 0,
                "score": float(score),
            }
        )
    return records


def coco_dataset(
    images: Iterable[Described], categories: Mapping[int, str], *, description: str
) -> dict[str, Any]:
    """Assemble images and their instances into one COCO data set; `categories` are names by id."""
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, file_name, (height, width), records in images:
        listed.append({"id": number, "file_name": file_name, "height": height, "width": width})
        for record in records:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **record})
    if filled := sum(annotation.get("holes", 0) > 0 for annotation in annotations):
        words = "--coco_polygons: %d of %d instances have holes, which their polygons fill"
        _log.warning(words, filled, len(annotations))
    return {
        "info": {"description": description},  # pycocotools 2.0.9 and 2.0.10 ask for it
        "licenses": [],
        "images": listed,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
    }
