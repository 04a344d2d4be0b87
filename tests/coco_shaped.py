"""A small folder shaped like the real COCO, for the tests.

Images are of several sizes, one grey, one CMYK, one without an annotation and one of crowds alone;
annotations are polygons in one and in several parts, run lengths of crowds, and lie in no order.
"""

import contextlib
import io
import json
import os

import cv2
import numpy as np
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from coco.categories import CATEGORY_IDS, CLASS_NAMES, CLASS_OF

SIZES = [(72, 96), (96, 72), (80, 80), (64, 130)]
COUNTS = {"train": 6, "val": 2}
FIRST = {"train": 1, "val": 101}
GREY, CMYK, BARE, CROWDED = 1, 2, 3, 4  # numbers of train's images, from 0
CATEGORIES = (1, 18, 90)


def name_of(split, number, year=2017):
    """Return the id of an image: the stem of its file's name."""
    prefix = f"COCO_{split}{year}_" if year == 2014 else ""
    return f"{prefix}{FIRST[split] + number:012d}"


def ids_of(split, year=2017):
    return [name_of(split, number, year) for number in range(COUNTS[split])]


def make_coco(folder, *, year=2017, layout="{}"):
    """Make a COCO of a year in a folder; return it."""
    for split in COUNTS:
        place = folder / layout.format(f"{split}{year}")
        place.mkdir(parents=True, exist_ok=True)
        for number in range(COUNTS[split]):
            _write_photograph(place / f"{name_of(split, number, year)}.jpg", split, number)
        write_json(folder, split, instances(split, year), year)
    return folder


def write_json(folder, split, content, year=2017):
    path = folder / "annotations" / f"instances_{split}{year}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def official(path):
    """Open a JSON with pycocotools, which prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(os.fspath(path))


def official_precision(known, results):
    """Return the first six of COCO's measures of results, as pycocotools computes them."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(known, known.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[:6].tolist()


def instances(split, year=2017):
    """Return the content of an instances JSON."""
    images, annotations = [], []
    for number in range(COUNTS[split]):
        height, width = SIZES[number % len(SIZES)]
        image_id = FIRST[split] + number
        name = f"{name_of(split, number, year)}.jpg"
        images.append({"file_name": name, "height": height, "width": width, "id": image_id})
        annotations += [{"image_id": image_id, **annotation} for annotation in drawn(split, number)]
    # As in COCO's own, an image's annotations do not lie together.
    order = np.random.default_rng(7).permutation(len(annotations))
    listed = [{**annotations[place], "id": 1000 + n} for n, place in enumerate(order)]
    categories = [
        {"supercategory": "thing", "id": int(i), "name": CLASS_NAMES[CLASS_OF[i]]}
        for i in CATEGORY_IDS
    ]
    return {
        "info": {"description": "tiny", "year": year},
        "licenses": [{"id": 1, "name": "none"}],
        "images": images,
        "annotations": listed,
        "categories": categories,
    }


def drawn(split, number):
    """Return the annotations of an image, without the ids."""
    if split == "train" and number == BARE:
        return []
    height, width = SIZES[number % len(SIZES)]
    box = [[4, 4, width // 2, 4, width // 2, height // 2, 4, height // 2]]
    far = width - 20
    parts = [
        [far, 8, far + 12, 8, far + 12, 30, far, 30],
        [far, 40, far + 12.5, 40.5, far + 6, 60],
    ]
    small = [[10, 10, 24, 10, 24, 22, 10, 22]]
    crowd = np.zeros((height, width), np.uint8)
    crowd[height // 3 : height - 4, 8 : width - 8] = 1
    found = [
        _annotation(CATEGORIES[number % 3], small, 168),
        _annotation(CATEGORIES[(number + 1) % 3], box, (width // 2 - 4) * (height // 2 - 4)),
        _annotation(CATEGORIES[number % 3], parts, 380),
        _annotation(CATEGORIES[0], _runs(crowd), int(crowd.sum()), crowd=1),
    ]
    return found[3:] if split == "train" and number == CROWDED else found


def _annotation(category, shape, area, *, crowd=0):
    return {"category_id": category, "segmentation": shape, "area": area, "iscrowd": crowd}


def _runs(mask):
    """Return uncompressed run lengths, as COCO's crowds have them."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *changes, len(flat)]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def _write_photograph(path, split, number):
    height, width = SIZES[number % len(SIZES)]
    rng = np.random.default_rng([3, FIRST[split] + number])
    image = rng.integers(60, 120, (height, width, 3)).astype(np.uint8)
    for annotation in drawn(split, number):
        if not annotation["iscrowd"]:
            colour = (np.array([1, 7, 3]) * annotation["category_id"] * 17 % 256).tolist()
            for polygon in annotation["segmentation"]:
                points = np.array(polygon, np.int32).reshape(-1, 2)
                cv2.fillPoly(image, [points], colour)
    mode = {GREY: "L", CMYK: "CMYK"}.get(number, "RGB") if split == "train" else "RGB"
    Image.fromarray(image).convert(mode).save(path, quality=92)
