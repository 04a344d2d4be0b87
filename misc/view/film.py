"""The two walks as a film: pixels move to their centroids, and scores spread up to boundaries."""

import cv2
import numpy as np
import torch

from misc.centroids import cluster_centroids, find_centroids
from misc.files.palette import OBJECT_COLOURS
from misc.indexing import propagate_to_edge
from misc.instances import upsample_scores
from misc.view.panel import overlay
from misc.view.pictures import Layer, heat_colours
from misc.view.plots import new_figure, pixels, style

MOVES = (0, 1, 2, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181, 256, 300)
_WIDTH = 2.6  # of each of the two pictures, inches
_LATTICE = 32  # points along the longer side


@style()
def film(
    image: np.ndarray,
    cam: np.ndarray,
    boundary: np.ndarray,
    displacement: np.ndarray,
    *,
    small_displacement: float,
    beta: float,
    exp_times: int,
    radius: int = 5,
) -> list[np.ndarray]:
    """Draw both walks side by side, frame by frame, from few steps to all of them.

    Args:
        image: uint8 (H, W, 3).
        cam: float32 (K, h, w), the class attention maps on the stride-4 grid.
        boundary: (h, w) in [0, 1].
        displacement: (2, h, w), dy and dx in stride-4 pixels.
        small_displacement: length in stride-4 pixels below which a displacement is small.
        beta: power of the affinities in the random walk.
        exp_times: the random walk takes 2 to this power steps.
        radius: of the random walk, stride-4 pixels.

    Returns:
        uint8 frames of one size.
    """
    size = image.shape[:2]
    height = _WIDTH * float(np.clip(size[0] / size[1], 0.2, 3))
    figure = new_figure(2 * _WIDTH, height + 0.3, constrained=False)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(0.01, 0.01, 0.99, height / (height + 0.3), wspace=0.02)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    ends = find_centroids(displacement)
    instances = cluster_centroids(ends, displacement, threshold=small_displacement)
    step = max(1, round(max(instances.shape) / _LATTICE))
    lattice = np.s_[step // 2 :: step, step // 2 :: step]
    colours = OBJECT_COLOURS[instances[lattice].ravel() % len(OBJECT_COLOURS)] / 255
    stride = size[1] / instances.shape[1]
    frames = []
    for moves, power in zip(
        MOVES, np.linspace(-1, exp_times, len(MOVES)).round().astype(int), strict=True
    ):
        y, x = (find_centroids(displacement, iterations=moves)[:, *lattice] + 0.5) * stride
        left.clear()
        overlay(left, image // 2, Layer(title=f"centroids, moves: {moves}"))
        left.scatter(x.ravel(), y.ravel(), s=14, c=colours)
        scores = heat_colours(
            _scores(cam, boundary, size, radius=radius, beta=beta, power=int(power))
        )
        right.clear()
        steps = 0 if power < 0 else 2**power
        overlay(right, grey, Layer(title=f"scores, steps: {steps}", picture=scores, opacity=0.7))
        frames.append(pixels(figure))
    return frames


def _scores(
    cam: np.ndarray,
    boundary: np.ndarray,
    size: tuple[int, ...],
    *,
    radius: int,
    beta: float,
    power: int,
) -> np.ndarray:
    """Return the largest class score (H, W) after 2^power steps; the initial one for power -1."""
    if not len(cam):
        return np.zeros(size, np.float32)
    maps, edge = torch.as_tensor(cam), torch.as_tensor(boundary)[None]
    if power < 0:
        walked = (maps * (1 - edge))[:, None]
    else:
        walked = propagate_to_edge(maps, edge, radius, beta, power)
    return upsample_scores(walked, (size[0], size[1])).amax(dim=0).numpy()
