"""True labels drawn as VOC draws them: a map of classes, and a map of objects over it."""

import logging
from pathlib import Path

import numpy as np

from misc.files.images import read_label
from misc.imutils import IGNORE

LARGEST_MASKS = 4 << 30  # pixels of an image's masks, a byte each

_log = logging.getLogger(__name__)


def read_class_map(path: Path, num_classes: int) -> np.ndarray:
    """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
    label = read_label(path)
    strange = label[(label > num_classes) & (label != IGNORE)]
    if strange.size:
        raise ValueError(
            f"{path}: has the value {strange[0]}; a label is 0, a class id + 1 up to "
            f"{num_classes}, or {IGNORE}"
        )
    return label


def split_objects(
    path: Path, objects: np.ndarray, semantic: np.ndarray, *, ignored: int = IGNORE
) -> tuple[np.ndarray, np.ndarray]:
    """Split a map of objects, each with the most frequent class under it.

    An object is an id neither 0 nor ignored; one without a class is left out with a warning.

    Args:
        path: the map's file, for messages.
        objects: uint8 or uint16 (H, W).
        semantic: uint8 (H, W), the classes.
        ignored: the id that is no object.

    Returns:
        masks, bool (N, H, W), and classes, int64 (N,), from 0.
    """
    if objects.shape != semantic.shape:
        raise ValueError(
            f"{path}: is {objects.shape} pixels, but its map of classes is {semantic.shape}"
        )
    masks, classes = [], []
    ids = np.setdiff1d(objects, [0, ignored])
    if len(ids) * objects.size > LARGEST_MASKS:
        raise ValueError(
            f"{path}: {len(ids)} objects of {objects.shape} pixels; their masks would take more "
            f"than {LARGEST_MASKS >> 30} GiB, cut the image into smaller ones"
        )
    for object_id in ids:
        mask = objects == object_id
        under = semantic[mask]
        under = under[(under != 0) & (under != IGNORE)]
        if not under.size:
            _log.warning("%s: object %d has no class and is left out", path, object_id)
            continue
        masks.append(mask)
        classes.append(np.bincount(under).argmax() - 1)
    return np.array(masks, bool).reshape(-1, *objects.shape), np.array(classes, np.int64)
