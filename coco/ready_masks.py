"""Ready-made semantic masks, which other programs keep beside COCO, in either numbering.

Their values are labels 0..80, or COCO's own category ids up to 90: the same mask of a car is 3 in
both, that of a toothbrush 80 in one and 90 in the other. Which it is follows from the first images
whose annotations fit one numbering alone.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from coco.categories import CATEGORY_IDS, CLASS_OF
from misc.files.images import read_label
from misc.imutils import IGNORE

FLAG = "--coco_mask_dir"
LOOKED_AT = 500  # images; a class from the 12th on, of which there are 69, decides


def is_raw(
    ids: Iterable[str], path: Callable[[str], Path], classes: Callable[[str], np.ndarray]
) -> bool:
    """Return whether the masks of some images, at `path(id)`, hold category ids, not labels 0..80.

    `classes(id)` is an image's classes by its annotations, from 0.
    """
    for image_id, _ in zip(ids, range(LOOKED_AT), strict=False):
        values = np.setdiff1d(read_label(path(image_id)), [0, IGNORE])
        there = classes(image_id)
        as_labels = bool(np.isin(values, there + 1).all())
        as_raw = bool(np.isin(values, CATEGORY_IDS[there]).all())
        if as_labels != as_raw:
            return as_raw
    return False


def read_mask(path: Path, *, raw: bool) -> np.ndarray:
    """Read a ready-made mask: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
    values = read_label(path)
    table = np.full(256, -1, np.int16)
    table[[0, IGNORE]] = 0, IGNORE
    if raw:
        table[CATEGORY_IDS] = CLASS_OF[CATEGORY_IDS] + 1
    else:
        table[1 : len(CATEGORY_IDS) + 1] = np.arange(1, len(CATEGORY_IDS) + 1)
    strange = values[table[values] < 0]
    if strange.size:
        meant = "category ids, 80 of 1 to 90" if raw else f"labels 0 to {len(CATEGORY_IDS)}"
        raise ValueError(
            f"{FLAG}: {path} has the value {strange[0]}; the masks of this folder hold {meant}, "
            f"and {IGNORE}"
        )
    return table[values].astype(np.uint8)
