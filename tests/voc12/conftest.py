"""A tiny VOC folder: four images, three with labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from voc_tree import annotation, write_list

from misc.files.images import write_label

OBJECTS = {
    "2007_000001": ["aeroplane"],
    "2007_000002": ["cat", "person", "cat"],
    "2007_000003": ["tvmonitor"],
    "2008_000004": [],
}
SIZE = (6, 8)


@pytest.fixture
def voc_root(tmp_path: Path) -> Path:
    """VOC2012 with train 1, val 2, 3 and Main/trainval 1 to 4."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "SegmentationObject"):
        (root / folder).mkdir(parents=True)
    for number, (image_id, names) in enumerate(OBJECTS.items()):
        image = np.full((*SIZE, 3), 40 * number, np.uint8)
        Image.fromarray(image).save(root / "JPEGImages" / f"{image_id}.jpg")
        (root / "Annotations" / f"{image_id}.xml").write_text(annotation(names))
    for image_id in list(OBJECTS)[:3]:
        write_label(root / "SegmentationClass" / f"{image_id}.png", np.zeros(SIZE))
        write_label(root / "SegmentationObject" / f"{image_id}.png", np.zeros(SIZE))
    write_list(root, "Segmentation/train", ["2007_000001"])
    write_list(root, "Segmentation/val", ["2007_000003", "2007_000002"])
    write_list(root, "Main/trainval", list(OBJECTS))
    return root
