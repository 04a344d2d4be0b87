"""The two walks as a film: pixels move to their centroids, and scores spread up to boundaries."""

import io

import cv2
import numpy as np
import torch
from PIL import Image

from misc.centroids import cluster_centroids, find_centroids
from misc.files.palette import OBJECT_COLOURS
from misc.indexing import propagate_to_edge
from misc.instances import upsample_scores
from misc.looking.panel import Cell, panel
from misc.looking.pictures import heat_colours, lay

MOVES = (0, 1, 2, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181, 256, 300)
_LAST = 8  # frames for which the end is held
_LATTICE = 32  # points along the longer side
_DURATION = 160  # milliseconds a frame


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
    width: int = 260,
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
        width: of each of the two pictures, pixels.

    Returns:
        uint8 frames of one size.
    """
    height = round(width * image.shape[0] / image.shape[1])
    large = np.asarray(Image.fromarray(image).resize((width, height)))
    centroids = find_centroids(displacement)
    instance_map = cluster_centroids(centroids, displacement, threshold=small_displacement)
    # Under the scores' colours the image's own would look like scores.
    colourless = np.repeat(large.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    powers = np.linspace(-1, exp_times, len(MOVES)).round().astype(int)
    frames = []
    for moves, power in zip(MOVES, powers, strict=True):
        steps = 0 if power < 0 else 2**power
        scores = _scores(cam, boundary, image.shape[:2], radius=radius, beta=beta, power=int(power))
        spread = lay(colourless, heat_colours(scores), 0.7)
        moved = _points(large, displacement, instance_map, moves)
        cells = [
            Cell(title=f"centroids, moves: {moves}", picture=moved, note="a colour: one instance"),
            Cell(title=f"scores, steps: {steps}", picture=spread, scale="heat"),
        ]
        frames.append(panel(cells, (height, width), columns=2))
    return frames + [frames[-1]] * _LAST


def _scores(
    cam: np.ndarray,
    boundary: np.ndarray,
    size: tuple[int, int],
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
    return upsample_scores(walked, size).amax(dim=0).numpy()


def _points(
    image: np.ndarray, displacement: np.ndarray, instance_map: np.ndarray, moves: int
) -> np.ndarray:
    """Draw the positions of a lattice of pixels after some moves, in their instances' colours."""
    picture = (image * 0.45).astype(np.uint8)
    centroids = find_centroids(displacement, iterations=moves)
    height, width = instance_map.shape
    scale = image.shape[1] / width
    step = max(1, round(max(height, width) / _LATTICE))
    for y in range(step // 2, height, step):
        for x in range(step // 2, width, step):
            to_y, to_x = centroids[:, y, x]
            colour = OBJECT_COLOURS[instance_map[y, x] % len(OBJECT_COLOURS)]
            centre = round((to_x + 0.5) * scale), round((to_y + 0.5) * scale)
            cv2.circle(picture, centre, 3, tuple(map(int, colour)), -1, cv2.LINE_AA)
    return picture


def encode_gif(frames: list[np.ndarray]) -> bytes:
    """Encode frames as a looping GIF with one shared palette."""
    # A few pixels of every frame, so that colours of only some frames are in the palette.
    some = np.concatenate([frame[::2, ::2] for frame in frames])
    colours = Image.fromarray(some).quantize(256, kmeans=2, dither=Image.Dither.NONE)
    pages = [
        Image.fromarray(frame).quantize(palette=colours, dither=Image.Dither.NONE)
        for frame in frames
    ]
    buffer = io.BytesIO()
    pages[0].save(buffer, "GIF", save_all=True, append_images=pages[1:], duration=_DURATION, loop=0)
    return buffer.getvalue()
