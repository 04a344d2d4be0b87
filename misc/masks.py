"""Masks: their overlap and their run lengths."""

import math

import numpy as np

# Pixels summed at a time: float32 counts exactly up to 2^24 only, and small parts stay in cache.
_PART = 2**16


def mask_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the IoU of every mask of one set with every mask of another.

    Args:
        first: bool (N, H, W).
        second: bool (M, H, W).

    Returns:
        float64 (N, M); 0 where both masks are empty.
    """
    pixels = math.prod(first.shape[1:])
    rows, columns = first.reshape(len(first), pixels), second.reshape(len(second), pixels)
    common = np.zeros((len(rows), len(columns)))
    for start in range(0, pixels, _PART):
        part = slice(start, start + _PART)
        common += rows[:, part].astype(np.float32) @ columns[:, part].astype(np.float32).T
    area = np.count_nonzero(rows, axis=1)[:, None] + np.count_nonzero(columns, axis=1)
    union = area - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def run_lengths(mask: np.ndarray) -> np.ndarray:
    """Return the lengths of the runs of equal values in a flattened mask, uint32.

    The runs alternate between False and True; the first is of False, and may be 0.
    """
    flat = mask.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first = [0] if flat.size and flat[0] else []
    return np.diff(np.concatenate([[0], first, changes, [flat.size]])).astype(np.uint32)


def bounding_boxes(masks: np.ndarray) -> np.ndarray:
    """Return the box around each mask of (N, H, W): float32 (N, 4), x0, y0, x1, y1 in pixels.

    The right and lower sides lie outside the mask, so that a box's width is x1 - x0. No mask may
    be empty.
    """
    boxes = np.zeros((len(masks), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def numbered_map(masks: np.ndarray, scores: np.ndarray, *, least: float = 0.0) -> np.ndarray:
    """Number the detections with a score above 0, the best first, in one map.

    Args:
        masks: bool (N, H, W); where masks overlap, the better one is on top.
        scores: (N,).
        least: minimum score.

    Returns:
        uint8 (H, W), 0 where there is none; the 255 best are numbered.
    """
    numbers = np.zeros(masks.shape[1:], np.uint8)
    for number, i in reversed(list(enumerate(counted_order(scores, least=least), start=1))):
        numbers[masks[i]] = number
    return numbers


def counted_order(scores: np.ndarray, *, least: float = 0.0) -> list[int]:
    """Return the indices of the detections that `numbered_map` numbers, the best first."""
    order = np.argsort(-scores, kind="stable")
    return [int(i) for i in order if scores[i] > 0 and scores[i] >= least][:255]


def mostly_on_regions(
    masks: np.ndarray, classes: np.ndarray, regions: np.ndarray, region_classes: np.ndarray
) -> np.ndarray:
    """Return which masks lie by more than half on regions of their class, taken together.

    Args:
        masks: bool (N, H, W).
        classes: (N,), their classes.
        regions: bool (R, H, W); where R is 0, of any shape.
        region_classes: (R,), their classes.

    Returns:
        bool (N,).

    Raises:
        ValueError: the regions are of another (H, W) than the masks.
    """
    result = np.zeros(len(masks), bool)
    if not len(regions):
        return result
    if masks.shape[1:] != regions.shape[1:]:
        raise ValueError(f"masks of shape {masks.shape[1:]}, regions of {regions.shape[1:]}")
    for class_id in np.intersect1d(classes, region_classes):
        region = regions[region_classes == class_id].any(axis=0)
        for index in np.flatnonzero(classes == class_id):
            inside = np.count_nonzero(masks[index] & region)
            result[index] = 2 * inside > np.count_nonzero(masks[index])
    return result
