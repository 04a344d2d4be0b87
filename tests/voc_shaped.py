"""Small folders shaped like the real VOC 2012 and the real SBD, for the tests.

What sets them apart from the demo data: train_aug is larger than train, and its other images, those
of SBD, have neither SegmentationClass nor SegmentationObject; SegmentationClassAug lies beside
them, grey; test has images alone; annotations have several objects, with parts; ImageSets holds the
lists of single classes too; images are of many sizes, one of them grey.
"""

import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import scipy.io
import scipy.sparse
from PIL import Image

from demo.objects import KINDS
from demo.scene import draw_scene
from misc.files.images import write_label
from misc.files.palette import voc_palette
from misc.imutils import IGNORE
from voc12.annotations import CLASS_NAMES

TRAIN = ["2007_000032", "2007_000039", "2007_000063", "2007_000068"]
VAL = ["2007_000033", "2007_000042"]
SBD = ["2008_000008", "2008_000015", "2008_000019"]  # of SBD, neither in train nor in val
TEST = ["2008_000001", "2008_000004"]
TRAIN_AUG = TRAIN + SBD
ANNOTATED = TRAIN + VAL + SBD
SIZES = [(72, 96), (96, 72), (80, 80), (64, 130), (60, 61)]
GREY = TRAIN[1]


def make_voc(folder, *, augmented=True):
    """Make VOCdevkit/VOC2012 in a folder; return its path."""
    root = folder / "VOCdevkit" / "VOC2012"
    for image_id in ANNOTATED + TEST:
        _write_jpeg(root / "JPEGImages" / f"{image_id}.jpg", image_id)
    for image_id in ANNOTATED:
        _write(root / "Annotations" / f"{image_id}.xml", _annotation(image_id))
    for image_id in TRAIN + VAL:
        for kind, label in zip(("Class", "Object"), _labels(image_id), strict=True):
            path = root / f"Segmentation{kind}" / f"{image_id}.png"
            write_label(path, label, palette=voc_palette())
    if augmented:  # as it is passed around: val's are there as well
        for image_id in ANNOTATED:
            label = _labels(image_id, border=image_id not in SBD)[0]
            write_label(root / "SegmentationClassAug" / f"{image_id}.png", label)
    _write_lists(root / "ImageSets")
    return root


def make_sbd(folder):
    """Make SBD's benchmark_RELEASE in a folder; return its path."""
    dataset = folder / "benchmark_RELEASE" / "dataset"
    lists = {"train": [*SBD[:2], TRAIN[0]], "val": [SBD[2], VAL[0]]}
    for name, ids in lists.items():
        _write(dataset / f"{name}.txt", _lines(ids))
        for image_id in ids:
            _write_jpeg(dataset / "img" / f"{image_id}.jpg", image_id)
            _write_mats(dataset, image_id)
    return dataset.parent


@cache
def scene(image_id):
    """Draw the scene of an image; the same each time."""
    number = (ANNOTATED + TEST).index(image_id)
    size = SIZES[number % len(SIZES)]
    rng = np.random.default_rng([12, number])
    return draw_scene(list(KINDS)[number % len(KINDS)], size=size, rng=rng)


def classes(image_id):
    """Return the class ids of a scene's objects, from 0."""
    return np.array([CLASS_NAMES.index(name) for name in scene(image_id).names])


def _labels(image_id, *, border=True):
    drawn = scene(image_id)
    objects = (drawn.owner + 1).astype(np.uint8)
    semantic = np.array([0, *(classes(image_id) + 1)], np.uint8)[objects]
    if border:
        kernel = np.ones((3, 3), np.uint8)
        void = cv2.dilate(objects, kernel) != cv2.erode(objects, kernel)
        semantic[void] = objects[void] = IGNORE
    return semantic, objects


def _write_jpeg(path, image_id):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(scene(image_id).image)
    (image.convert("L") if image_id == GREY else image).save(path, quality=92)


def _annotation(image_id):
    drawn = scene(image_id)
    height, width = drawn.owner.shape
    source = {"database": "The VOC2008 Database", "annotation": "PASCAL VOC2008", "image": "flickr"}
    outer = ElementTree.Element("annotation")
    _add(outer, {"folder": "VOC2012", "filename": f"{image_id}.jpg", "source": source})
    _add(outer, {"size": {"width": width, "height": height, "depth": 3}})
    _add(outer, {"segmented": int(image_id not in SBD)})
    for number, name in enumerate(drawn.names):
        rows, columns = np.nonzero(drawn.owner == number)
        sides = (columns.min(), rows.min(), columns.max(), rows.max())
        box = {side: v + 1 for side, v in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True)}
        found = ElementTree.SubElement(outer, "object")
        _add(found, {"name": name, "pose": "Unspecified", "truncated": int(drawn.cut[number])})
        _add(found, {"difficult": number % 2, "occluded": 0, "bndbox": box})
        for part in ("head", "hand", "foot"):
            _add(found, {"part": {"name": part, "bndbox": box}})
    ElementTree.indent(outer, "\t")
    return ElementTree.tostring(outer, encoding="unicode") + "\n"


def _add(element, fields):
    for name, value in fields.items():
        inner = ElementTree.SubElement(element, name)
        if isinstance(value, dict):
            _add(inner, value)
        else:
            inner.text = str(value)


def _write_lists(folder):
    segmentation = {"train": TRAIN, "val": VAL, "trainval": sorted(TRAIN + VAL), "test": TEST}
    for name, ids in segmentation.items():
        _write(folder / "Segmentation" / f"{name}.txt", _lines(ids))
    main = {"train": TRAIN + SBD[:1], "val": VAL + SBD[1:], "trainval": sorted(ANNOTATED)}
    for name, ids in main.items():
        _write(folder / "Main" / f"{name}.txt", _lines(ids))
        for number, class_name in enumerate(CLASS_NAMES):
            shown = [f"{i} {1 if number in classes(i) else -1:2d}" for i in ids]
            _write(folder / "Main" / f"{class_name}_{name}.txt", _lines(shown))


def _write_mats(dataset, image_id):
    semantic, objects = _labels(image_id, border=False)
    categories = (classes(image_id) + 1).astype(np.uint8)[:, None]
    outlines = np.empty((len(categories), 1), object)
    for number in range(len(categories)):
        outlines[number, 0] = scipy.sparse.csc_matrix(objects == number + 1)
    instances = {"Segmentation": objects, "Boundaries": outlines, "Categories": categories}
    present = np.unique(categories)[:, None]
    whole = {"Segmentation": semantic, "Boundaries": outlines, "CategoriesPresent": present}
    for kind, name, fields in (("inst", "GTinst", instances), ("cls", "GTcls", whole)):
        path = dataset / kind / f"{image_id}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {name: fields}, do_compression=True)


def _lines(lines):
    return "".join(f"{line}\n" for line in lines)


def _write(path: Path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
