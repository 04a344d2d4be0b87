"""COCO's semantic truth in the ready-made masks of a folder.

They hold labels 0..80, or COCO's own category ids up to 90: the same mask of a car is 3
in both, that of a toothbrush 80 in one and 90 in the other. Which it is follows from the first
images whose annotations fit one numbering alone.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from coco.categories import CATEGORY_IDS
from misc.files.images import read_label
from misc.imutils import IGNORE

FLAG = "--coco_mask_dir"
LABELS = np.arange(1, len(CATEGORY_IDS) + 1)
LOOKED_AT = 500  # images; a class from the 12th on, of which there are 69, decides


def have_category_ids(images: Iterable[tuple[Path, np.ndarray]]) -> bool:
    """Return whether masks hold category ids, not labels 0..80.

    Each image is the path of its mask, and its classes by its annotations, from 0.
    """
    for path, classes in islice(images, LOOKED_AT):
        values = np.setdiff1d(read_label(path), [0, IGNORE])
        as_labels = bool(np.isin(values, classes + 1).all())
        as_ids = bool(np.isin(values, CATEGORY_IDS[classes]).all())
        if as_labels != as_ids:
            return as_ids
    return False


def read_mask(path: Path, *, category_ids: bool) -> np.ndarray:
    """Read a ready-made mask: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
    values = read_label(path)
    table = np.full(256, -1, np.int16)
    table[[0, IGNORE]] = 0, IGNORE
    table[CATEGORY_IDS if category_ids else LABELS] = LABELS
    strange = values[table[values] < 0]
    if strange.size:
        meant = "category ids, 80 of 1 to 90" if category_ids else f"labels 0 to {len(LABELS)}"
        raise ValueError(
            f"{FLAG}: {path} has the value {strange[0]}; the masks of this folder hold {meant}, "
            f"and {IGNORE}"
        )
    return table[values].astype(np.uint8)
