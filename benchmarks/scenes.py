"""Synthetic inputs of a photograph's size, shared by the benchmarks."""

import numpy as np
import torch

SIZE = (375, 500)
GRID = (94, 125)


def blobs(height: int, width: int, seed: int, count: int = 3) -> np.ndarray:
    """Make a map of a few soft blobs, float32 (height, width) in [0, 1], like a CAM."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    total = np.zeros((height, width))
    for _ in range(count):
        centre_y, centre_x, spread = rng.random() * 0.7, rng.random(), 0.05 + 0.1 * rng.random()
        total += np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / (2 * spread**2))
    return (total / total.max()).astype(np.float32)


def boundary(height: int, width: int) -> torch.Tensor:
    """Make a boundary map (1, height, width): closed contours, as soft as a network's."""
    level = blobs(height, width, 1) + 0.5 * blobs(height, width, 2)
    return torch.from_numpy(np.exp(-((level - 0.5) ** 2) / 0.003).astype(np.float32))[None]


def displacement(height: int, width: int) -> torch.Tensor:
    """Make a displacement field (2, height, width) that points to the nearest of six centres."""
    rng = np.random.default_rng(3)
    centres = rng.random((6, 2)) * (height, width)
    grid = np.indices((height, width)).reshape(2, -1).T
    to_centre = centres[None] - grid[:, None]
    nearest = np.linalg.norm(to_centre, axis=2).argmin(axis=1)
    field = 0.2 * to_centre[np.arange(len(grid)), nearest]
    noise = rng.normal(0, 0.3, field.shape)
    return torch.from_numpy((field + noise).T.reshape(2, height, width).astype(np.float32))
