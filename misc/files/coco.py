"""COCO's instance annotation format, for other programs: run lengths, records, one JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as runs

from misc.masks import bounding_boxes


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


def instance_records(
    detections: Mapping[str, np.ndarray], categories: Sequence[int]
) -> list[dict[str, Any]]:
    """Describe an image's instances as COCO does, without ids, and with scores.

    Args:
        detections: `mask` bool (N, H, W), none of them empty, `class` int (N,) from 0 and `score`
            float (N,).
        categories: the category id of each class.
    """
    records = []
    boxes = bounding_boxes(detections["mask"])
    for mask, (left, top, right, bottom), class_id, score in zip(
        detections["mask"], boxes.tolist(), detections["class"], detections["score"], strict=True
    ):
        records.append(
            {
                "category_id": categories[int(class_id)],
                "segmentation": encode_rle(mask),
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
    return {
        "info": {"description": description},  # pycocotools 2.0.9 and 2.0.10 ask for it
        "licenses": [],
        "images": listed,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
    }
