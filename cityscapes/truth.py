"""The ground truth of Cityscapes, from labelIds and instanceIds."""

from pathlib import Path

import numpy as np

from cityscapes import layout
from cityscapes.names import EVALUATED_IDS, INSTANCE_IDS, LARGEST_ID, VOID_IDS
from misc.files.images import image_size, read_label, read_numbers
from misc.imutils import IGNORE


def semantic_label(root: Path, image_id: str, ids: np.ndarray) -> np.ndarray:
    """Read a semantic label: uint8 (H, W), class + 1 for the label ids of the classes, 255 void.

    Evaluated ids that are no class are background, 0.

    Raises:
        FileNotFoundError: the image has no label.
        ValueError: the file is no label map, of another size than the image, or has unknown ids.
    """
    path = layout.truth_path(root, "semantic", image_id)
    table = np.zeros(256, np.uint8)
    table[VOID_IDS] = IGNORE
    table[ids] = np.arange(1, len(ids) + 1)
    return table[_sized(root, image_id, path, _checked_ids(path))]


def occurring_ids(path: Path) -> list[int]:
    """Read which of the evaluated ids occur in a file of labelIds, as indices into the 19."""
    return np.flatnonzero(np.isin(EVALUATED_IDS, _occurring(_checked_ids(path)))).tolist()


def instance_numbers(root: Path, image_id: str) -> np.ndarray:
    """Read an image's instanceIds: integer (H, W), id · 1000 + n for instances, or the id alone.

    Raises:
        FileNotFoundError: the image has no such file.
        ValueError: the file is no map, of another size than the image, or has unknown ids.
    """
    path = layout.truth_path(root, "instance", image_id)
    _require(path)
    numbers = read_numbers(path)
    owners = np.where(numbers >= 1000, numbers // 1000, numbers)
    _check_ids(path, owners)
    return _sized(root, image_id, path, numbers)


def instances(root: Path, image_id: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read the instances of the classes: masks, bool (N, H, W), and classes, int64 (N,)."""
    numbers = instance_numbers(root, image_id)
    values = _occurring(numbers)
    return _regions(numbers, values[values >= 1000], 1000, ids)


def groups(root: Path, image_id: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read the groups of the classes with instances: bool (M, H, W), and classes, int64 (M,)."""
    numbers = instance_numbers(root, image_id)
    return _regions(numbers, np.intersect1d(_occurring(numbers), INSTANCE_IDS), 1, ids)


def _regions(
    numbers: np.ndarray, values: np.ndarray, divisor: int, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask and a class for each of the values that belongs to one of the classes."""
    owners = values // divisor
    kept = np.isin(owners, ids)
    masks = numbers == values[kept, None, None]
    return masks, np.searchsorted(ids, owners[kept]).astype(np.int64)


def _occurring(numbers: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.bincount(numbers.reshape(-1)))  # np.unique would sort two million


def _checked_ids(path: Path) -> np.ndarray:
    _require(path)
    label = read_label(path)
    _check_ids(path, label)
    return label


def _require(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; train and val have gtFine's labelIds and instanceIds, test "
            "has no ground truth"
        )


def _check_ids(path: Path, ids: np.ndarray) -> None:
    if ids.max() > LARGEST_ID:
        raise ValueError(
            f"{path}: has the unknown label id {ids.max()}; accepted are 0 to {LARGEST_ID} "
            "(labelIds, not labelTrainIds)"
        )


def _sized(root: Path, image_id: str, path: Path, label: np.ndarray) -> np.ndarray:
    size = image_size(layout.image_path(root, image_id))
    if label.shape != size:
        raise ValueError(f"{path}: is {label.shape} pixels, but its image is {size}")
    return label
