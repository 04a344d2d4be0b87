"""COCO's own average precision of masks, by pycocotools, one image at a time.

An image is evaluated where it is loaded, by pycocotools' own matching, and leaves only what is
accumulated over all images.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = ("AP", "AP50", "AP75", "AP small", "AP medium", "AP large")
SCORES = "dtScores"
MARKS = ("dtMatches", "dtIgnore", "gtIgnore")


@dataclass(frozen=True, kw_only=True)
class Matches:
    """One image's detections, matched by pycocotools.

    Attributes:
        number: the image's id in the JSON, by which pycocotools orders images.
        found: by class what is accumulated, an array each, ranges of areas first.
    """

    number: int
    found: Mapping[int, Mapping[str, np.ndarray]]


def match(
    number: int,
    size: tuple[int, int],
    truths: Sequence[Mapping[str, Any]],
    detections: Sequence[Mapping[str, Any]],
) -> Matches:
    """Match an image's detections to its truths, crowds included.

    Args:
        number: the image's id in the JSON.
        size: its (H, W).
        truths: category_id (from 1), segmentation (run lengths), area, iscrowd.
        detections: category_id, segmentation, score.
    """
    categories = sorted({int(record["category_id"]) for record in (*truths, *detections)})
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        known = COCO()
        known.dataset = {
            "images": [{"id": number, "height": size[0], "width": size[1]}],
            # An id of 0 would count as none.
            "annotations": [
                {**truth, "id": n, "image_id": number} for n, truth in enumerate(truths, start=1)
            ],
            "categories": [{"id": category} for category in categories],
        }
        known.createIndex()
        records = [{**found, "image_id": number} for found in detections]
        # pycocotools tells from the first record which kind they are.
        evaluation = COCOeval(known, known.loadRes(records) if records else COCO(), "segm")
        evaluation.evaluate()
    areas = len(evaluation.params.areaRng)
    found = {}
    for place, category in enumerate(categories):
        results = evaluation.evalImgs[place * areas : (place + 1) * areas]
        found[category] = {
            name: np.array([result[name] for result in results], float if name == SCORES else bool)
            for name in (SCORES, *MARKS)
        }
    return Matches(number=number, found=found)


def measures(matches: Sequence[Matches]) -> dict[str, float]:
    """Compute COCO's AP over all images: `COCO AP`, `COCO AP50` and so on, from 0 to 1.

    A measure without any true mask, as of small ones, is left out.
    """
    ordered = sorted(matches, key=lambda image: image.number)
    categories = sorted({category for image in ordered for category in image.found})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(iouType="segm")
        params = evaluation.params
        params.imgIds = list(range(len(ordered)))
        params.catIds = categories
        areas = len(params.areaRng)
        evaluation.evalImgs = [
            _of_range(image.found.get(category), area)
            for category in categories
            for area in range(areas)
            for image in ordered
        ]
        evaluation._paramsEval = params
        evaluation.accumulate()
        evaluation.summarize()
    values = evaluation.stats[: len(NAMES)].tolist()
    return {f"COCO {n}": v for n, v in zip(NAMES, values, strict=True) if v >= 0}


def _of_range(found: Mapping[str, np.ndarray] | None, area: int) -> dict[str, np.ndarray] | None:
    return None if found is None else {name: values[area] for name, values in found.items()}
