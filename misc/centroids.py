"""Class-agnostic instances from a displacement field (paper, section 5.1)."""

import cv2
import numpy as np
import torch

# Points are checked once in this many moves: often enough to drop converged ones early, and a
# multiple of the short periods in which rounding lets a point oscillate about its centroid.
_BLOCK = 12


def find_centroids(displacement: np.ndarray | torch.Tensor, iterations: int = 300) -> np.ndarray:
    """Follow the displacement field from every pixel to the centroid of its instance.

    Each pixel starts at its own coordinates and moves `iterations` times by the bilinearly
    sampled displacement at its position, clipped to the grid; then it is rounded (half to even).
    All arithmetic is in float32, on the CPU: so many small steps are slower on a GPU.

    Args:
        displacement: (2, h, w), dy and dx in pixels of this grid.
        iterations: number of moves.

    Returns:
        int64 (2, h, w), y and x of each pixel's centroid.

    Raises:
        ValueError: the field is not (2, h, w), or not finite.
    """
    field = _as_field(displacement)
    final = np.indices(field.shape[1:], dtype=np.float32).reshape(2, -1)
    table = _corner_table(field)
    moving, position = np.arange(final.shape[1]), final
    first, blocks = iterations % _BLOCK, iterations // _BLOCK
    position = _moved(position, first, table, field.shape)
    for _ in range(blocks):
        start, position = position, _moved(position, _BLOCK, table, field.shape)
        # A point that is back where the block began, at rest or on a short cycle, will be there
        # after every later block, the last one too: it needs no more computing.
        still = (position == start).all(axis=0)
        final[:, moving[still]] = position[:, still]
        moving, position = moving[~still], position[:, ~still]
        if not len(moving):
            break
    final[:, moving] = position
    return np.rint(final).astype(np.int64).reshape(field.shape)


def cluster_centroids(
    centroids: np.ndarray, displacement: np.ndarray | torch.Tensor, threshold: float = 2.5
) -> np.ndarray:
    """Group the pixels whose centroids lie in the same basin of small displacement.

    The basins are the 4-connected components of |D| < threshold. A pixel belongs to the basin
    under its centroid; the pixels whose centroid is in none are one instance of their own.

    Args:
        centroids: integer (2, h, w), of `find_centroids`.
        displacement: (2, h, w), dy and dx in pixels of this grid.
        threshold: Euclidean length in pixels below which a displacement is small.

    Returns:
        int32 (h, w), instance ids 0..n-1, all of them in use, those in no basin first.

    Raises:
        ValueError: the field is not (2, h, w), or not finite.
    """
    field = _as_field(displacement)
    small = np.sqrt(field[0] ** 2 + field[1] ** 2) < threshold
    count, basins = cv2.connectedComponents(small.astype(np.uint8), connectivity=4)
    under = basins[centroids[0], centroids[1]]
    used = np.bincount(under.reshape(-1), minlength=count) > 0
    return (np.cumsum(used, dtype=np.int32) - 1)[under]


def _as_field(displacement: np.ndarray | torch.Tensor) -> np.ndarray:
    field = torch.as_tensor(displacement).detach().cpu().float().numpy()
    if field.ndim != 3 or len(field) != 2:
        raise ValueError(f"a displacement field is (2, h, w), not {field.shape}")
    if not np.isfinite(field).all():
        raise ValueError("the displacement field has values that are not finite")
    return field


def _corner_table(field: np.ndarray) -> np.ndarray:
    """Lay out dy and dx at the four corners of every cell: (2·2·2, h·w).

    The axes are the corner's row, its column and the channel. A corner beyond the border
    repeats the border; its weight is always 0.
    """
    _, height, width = field.shape
    padded = np.pad(field, ((0, 0), (0, 1), (0, 1)), mode="edge")
    corners = [
        padded[:, row : row + height, column : column + width]
        for row in (0, 1)
        for column in (0, 1)
    ]
    return np.stack(corners).reshape(8, -1)


def _moved(
    position: np.ndarray, moves: int, table: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Move points, float32 (2, n), through the field; a step is the weighted sum of corners."""
    _, height, width = shape
    position, count = position.copy(), position.shape[1]
    limit = np.array([[height - 1], [width - 1]], dtype=np.float32)
    # Every pass reuses the same buffers: allocating costs as much as the arithmetic.
    cell = np.empty((2, count), dtype=np.float32)
    whole = np.empty((2, count), dtype=np.int32)
    index = np.empty(count, dtype=np.intp)
    share = np.empty((2, 2, count), dtype=np.float32)  # of the (near, far) corner, along (y, x)
    weight = np.empty((2, 2, count), dtype=np.float32)
    corner = np.empty((8, count), dtype=np.float32)
    term = corner.reshape(2, 2, 2, count)
    step = term[0, 0]
    for _ in range(moves):
        np.floor(position, out=cell)
        np.subtract(position, cell, out=share[1])
        np.subtract(1, share[1], out=share[0])
        np.multiply(share[:, None, 0], share[None, :, 1], out=weight)
        np.copyto(whole, cell, casting="unsafe")
        np.copyto(index, whole[0] * width + whole[1])
        table.take(index, axis=1, out=corner, mode="clip")
        np.multiply(term, weight[:, :, None], out=term)
        for other in (term[0, 1], term[1, 0], term[1, 1]):
            np.add(step, other, out=step)
        np.add(position, step, out=position)
        np.clip(position, 0, limit, out=position)
    return position
