"""COCO's average precision of masks, by pycocotools' own COCOeval, one image at a time.

An image is matched where it is loaded, and leaves only what is accumulated over all images: the
masks of all would take gigabytes.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from misc.files.coco import encode_rle

NAMES = ("AP", "AP50", "AP75", "AP small", "AP medium", "AP large")
SCORES = "dtScores"
MARKS = ("dtMatches", "dtIgnore", "gtIgnore")


class CocoMatches(NamedTuple):
    """One image's detections, matched by pycocotools.

    Attributes:
        number: pycocotools orders images by it, and with them detections of one score.
        found: by class and range of areas, what is accumulated over images.
    """

    number: int
    found: Mapping[int, Sequence[Mapping[str, np.ndarray]]]


def match_masks(
    found: Mapping[str, np.ndarray],
    masks: np.ndarray,
    classes: np.ndarray,
    *,
    crowd: np.ndarray,
    areas: np.ndarray | None = None,
    number: int = 1,
) -> CocoMatches:
    """Match an image's detections to its true masks.

    Args:
        found: the detections, `mask` bool (N, H, W), `class` int (N,) from 0, `score` (N,).
        masks: bool (M, H, W), the true masks.
        classes: (M,), their classes.
        crowd: bool (M,), which of them are ignored in matching.
        areas: (M,), by which they are small, medium or large; by default their pixels.
        number: of the image; images are ordered by it.
    """
    if areas is None:
        areas = masks.sum(axis=(1, 2))
    truths = [
        {**_record(number, mask, classes[n]), "id": n + 1, "area": areas[n], "iscrowd": crowd[n]}
        for n, mask in enumerate(masks)
    ]
    detections = [
        {**_record(number, mask, found["class"][n]), "score": float(found["score"][n])}
        for n, mask in enumerate(found["mask"])
    ]
    categories = sorted({record["category_id"] for record in (*truths, *detections)})
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        known = COCO()
        known.dataset = {
            "info": {},  # asked for by pycocotools 2.0.9 and 2.0.10
            "images": [{"id": number, "height": masks.shape[1], "width": masks.shape[2]}],
            "annotations": truths,
            "categories": [{"id": category} for category in categories],
        }
        known.createIndex()
        # pycocotools tells from the first record which kind they are.
        evaluation = COCOeval(known, known.loadRes(detections) if detections else COCO(), "segm")
        evaluation.evaluate()
    ranges = len(evaluation.params.areaRng)
    matched = {}
    for place, category in enumerate(categories):
        matched[category] = [
            {SCORES: np.array(result[SCORES], float)}
            | {name: np.array(result[name], bool) for name in MARKS}
            for result in evaluation.evalImgs[place * ranges : (place + 1) * ranges]
        ]
    return CocoMatches(number=number, found=matched)


def _record(number: int, mask: np.ndarray, class_id: int) -> dict[str, Any]:
    # A category of 0 would count as none.
    return {
        "image_id": number,
        "category_id": int(class_id) + 1,
        "segmentation": encode_rle(mask),
    }


def coco_measures(matches: Sequence[CocoMatches]) -> dict[str, float]:
    """Compute COCO's AP over all images: `COCO AP`, `COCO AP50` and so on, from 0 to 1.

    A measure without any true mask, for example of small ones, is left out.
    """
    ordered = sorted(matches, key=lambda image: image.number)
    categories = sorted({category for image in ordered for category in image.found})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(iouType="segm")
        params = evaluation.params
        params.imgIds = list(range(len(ordered)))
        params.catIds = categories
        evaluation.evalImgs = [
            image.found[category][area] if category in image.found else None
            for category in categories
            for area in range(len(params.areaRng))
            for image in ordered
        ]
        evaluation._paramsEval = params
        evaluation.accumulate()
        evaluation.summarize()
    values = evaluation.stats[: len(NAMES)].tolist()
    return {f"COCO {n}": v for n, v in zip(NAMES, values, strict=True) if v >= 0}
