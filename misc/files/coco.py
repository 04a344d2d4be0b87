"""COCO's instance annotation format, for other programs: RLE masks, records, one JSON."""

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from misc.masks import bounding_boxes, run_lengths


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Encode a mask, bool (H, W), as COCO's compressed run lengths.

    The runs go down the columns, the first is of False. From the third on each is encoded as its
    difference to the second last, in groups of five bits, lowest first: a character is 48 plus
    the group, plus 32 where more groups follow.
    """
    runs = run_lengths(mask.T).tolist()
    return {"size": list(mask.shape), "counts": "".join(map(_packed, _differences(runs)))}


def instance_records(detections: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Describe an image's instances as COCO does, without ids.

    Args:
        detections: `mask` bool (N, H, W), none of them empty, `class` int (N,) from 0 and `score`
            float (N,).

    Returns:
        for each: category_id from 1, segmentation, area, bbox (x, y, width, height), iscrowd, and
        the score, which COCO's own annotations do not have.
    """
    records = []
    boxes = bounding_boxes(detections["mask"])
    for mask, (left, top, right, bottom), class_id, score in zip(
        detections["mask"], boxes.tolist(), detections["class"], detections["score"], strict=True
    ):
        records.append(
            {
                "category_id": int(class_id) + 1,
                "segmentation": encode_rle(mask),
                "area": int(mask.sum()),
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 0,
                "score": float(score),
            }
        )
    return records


def coco_dataset(
    images: Iterable[tuple[str, tuple[int, int], Sequence[Mapping[str, Any]]]],
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Assemble images and their instances into one COCO data set of plain numbers.

    Args:
        images: for each its file's name, its (H, W), and its instances of `instance_records`.
        class_names: of the categories 1..C.

    Returns:
        `images`, `annotations` and `categories`; ids of images and annotations count from 1.
    """
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, (height, width), records) in enumerate(images, start=1):
        listed.append({"id": image_id, "file_name": file_name, "height": height, "width": width})
        for record in records:
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **record})
    categories = [{"id": n, "name": name} for n, name in enumerate(class_names, start=1)]
    return {"images": listed, "annotations": annotations, "categories": categories}


def _differences(runs: Sequence[int]) -> list[int]:
    return [run - (runs[number - 2] if number > 2 else 0) for number, run in enumerate(runs)]


def _packed(value: int) -> str:
    characters = []
    more = True
    while more:
        group, value = value & 31, value >> 5  # arithmetic: the sign fills from the left
        more = value != (-1 if group & 16 else 0)
        characters.append(chr(48 + group + (32 if more else 0)))
    return "".join(characters)


def coco_average_precision(
    truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]
) -> float:
    """Compute COCO's AP of masks with pycocotools: the mean over IoU from 0.5 to 0.95.

    Args:
        truth: a data set of `coco_dataset`.
        detections: records of `instance_records`, each with the `image_id` of its image.

    Returns:
        AP from 0 to 1; 0 where nothing is detected.

    Raises:
        ModuleNotFoundError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("pip install pycocotools to have it") from error
    if not detections:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        known = COCO()
        known.dataset = dict(truth)
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(list(detections)), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])
