"""The ground truth of Cityscapes, from labelIds and instanceIds."""

from pathlib import Path

import numpy as np

from cityscapes.names import INSTANCE_IDS, LARGEST_ID, VOID_IDS
from misc.files.images import image_size, read_numbers
from misc.imutils import IGNORE


def read_ids(path: Path, image: Path) -> np.ndarray:
    """Read labelIds, or instanceIds: integer (H, W), id · 1000 + n for instances, or the id alone.

    Its image, a file, has the same size.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; train and val have gtFine's labelIds and instanceIds, test "
            "has no ground truth"
        )
    numbers = read_numbers(path).astype(np.int32)
    largest = np.where(numbers >= 1000, numbers // 1000, numbers).max()
    if largest > LARGEST_ID:
        raise ValueError(
            f"{path}: has the unknown label id {largest}; accepted are 0 to {LARGEST_ID} "
            "(labelIds, not labelTrainIds)"
        )
    if numbers.shape != (size := image_size(image)):
        raise ValueError(f"{path}: is {numbers.shape} pixels, but its image is {size}")
    return numbers


def semantic_label(label_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the semantic label of labelIds: uint8 (H, W), class + 1 for those of `ids`, 255 void.

    Evaluated ids that are no class are background, 0.
    """
    table = np.zeros(LARGEST_ID + 1, np.uint8)
    table[VOID_IDS] = IGNORE
    table[ids] = np.arange(1, len(ids) + 1)
    return table[label_ids]


def instances(numbers: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the instances of the classes: masks, bool (N, H, W), and classes, int64 (N,)."""
    values = occurring(numbers)
    return _regions(numbers, values[values >= 1000], 1000, ids)


def groups(numbers: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the groups of the classes with instances: bool (M, H, W), and classes, int64 (M,)."""
    return _regions(numbers, np.intersect1d(occurring(numbers), INSTANCE_IDS), 1, ids)


def occurring(numbers: np.ndarray) -> np.ndarray:
    """Return the values of a map, rising."""
    return np.flatnonzero(np.bincount(numbers.reshape(-1)))  # np.unique would sort two million


def _regions(
    numbers: np.ndarray, values: np.ndarray, divisor: int, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask and a class for each of the values that belongs to one of the classes."""
    owners = values // divisor
    kept = np.isin(owners, ids)
    masks = numbers == values[kept, None, None]
    return masks, np.searchsorted(ids, owners[kept]).astype(np.int64)
