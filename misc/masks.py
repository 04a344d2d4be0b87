"""Overlap of masks."""

import math

import numpy as np

# Pixels summed at a time: float32 counts exactly up to 2^24 only, and small parts stay in cache.
_PART = 2**16


def mask_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give the IoU of every mask of one set with every mask of another.

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
