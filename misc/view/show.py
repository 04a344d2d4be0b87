"""Draw one image through every stage, and a film of its two walks: `--show ID`.

In the film pixels move to their centroids, and scores spread up to boundaries.
"""

import io
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from misc.centroids import cluster_centroids, find_centroids
from misc.files.atomic import write_bytes
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.files.palette import OBJECT_COLOURS
from misc.imutils import rescale
from misc.indexing import propagate_to_edge
from misc.instances import upsample_scores
from misc.run.log import logger
from misc.settings.config import Config
from misc.view.layers import Layer, heat_colours, image_layers, open_irnet
from misc.view.panel import draw, tile

MOVES = (0, 1, 2, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181, 256, 300)  # one a frame
_LONGEST = 300  # of each of the film's two pictures, pixels
_LATTICE = 32  # points along the longer side
_MILLISECONDS = 160  # of a frame; the last is held eight times as long


def run(config: Config, dataset: Dataset) -> None:
    """Write a panel of the image --show with all results so far, and with CAMs and IRNet a film."""
    image_id = str(config.show)
    image = dataset.image(image_id)
    fields = open_irnet(config, len(dataset.class_names))(image)
    layers = image_layers(config, dataset, image_id, image, fields)
    titled = [Layer(title=f"image {image_id}"), *layers]
    pictures = [draw(image, layer, longest=500) for layer in titled]
    panel = tile(pictures, columns=-(-len(pictures) // 2))
    _write(Path(config.show_dir, f"{image_id}.png"), [panel])
    if fields is None:
        return
    try:
        folder = CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))
        cams = folder.read(image_id, image.shape[:2])
    except FileNotFoundError:
        return
    frames = film(
        image,
        cams.cam**config.cam_power,
        *fields,
        small_displacement=config.small_displacement,
        radius=config.walk_radius,
        beta=config.beta,
        exp_times=config.exp_times,
    )
    _write(Path(config.show_dir, f"{image_id}.gif"), frames)


def film(
    image: np.ndarray,
    cam: np.ndarray,
    boundary: np.ndarray,
    displacement: np.ndarray,
    *,
    small_displacement: float,
    radius: int,
    beta: float,
    exp_times: int,
) -> list[Image.Image]:
    """Draw both walks side by side, frame by frame, from few steps to all of them.

    Args:
        image: uint8 (H, W, 3).
        cam: float32 (K, h, w), the class attention maps on the stride-4 grid.
        boundary: (h, w) in [0, 1].
        displacement: (2, h, w), dy and dx in stride-4 pixels.
        small_displacement: length in stride-4 pixels below which a displacement is small.
        radius: of the random walk, stride-4 pixels.
        beta: power of the affinities in the random walk.
        exp_times: the random walk takes 2 to this power steps.
    """
    size = (image.shape[0], image.shape[1])
    image = rescale(image, _LONGEST / max(size))
    grey = np.dstack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)] * 3)
    centroids = find_centroids(displacement)
    instances = cluster_centroids(centroids, displacement, threshold=small_displacement)
    step = max(1, round(max(instances.shape) / _LATTICE))
    lattice = np.s_[step // 2 :: step, step // 2 :: step]
    colours = OBJECT_COLOURS[instances[lattice].ravel() % len(OBJECT_COLOURS)].tolist()
    stride = np.array(image.shape[:2]) / instances.shape
    powers = np.linspace(0, exp_times, len(MOVES)).round().astype(int).tolist()
    maps = torch.as_tensor(cam if len(cam) else np.zeros_like(boundary)[None])
    edge = torch.as_tensor(boundary)[None]
    frames = []
    for moves, power in zip(MOVES, powers, strict=True):
        points = find_centroids(displacement, iterations=moves)[:, *lattice].reshape(2, -1).T
        gathered = image // 2
        for (y, x), colour in zip((points + 0.5) * stride, colours, strict=True):
            cv2.circle(gathered, (round(x), round(y)), 2, colour, cv2.FILLED, cv2.LINE_AA)
        walked = propagate_to_edge(maps, edge, radius, beta, power)
        scores = upsample_scores(walked, size).amax(dim=0).numpy()
        title, colouring = f"scores, steps: {2**power}", heat_colours(scores)
        spread = Layer(title=title, picture=colouring, opacity=0.7)
        pair = (gathered, Layer(title=f"centroids, moves: {moves}")), (grey, spread)
        frames.append(tile([draw(*each, longest=_LONGEST) for each in pair], columns=2))
    return frames


def _write(path: Path, pages: list[Image.Image]) -> None:
    content = io.BytesIO()
    if len(pages) == 1:
        pages[0].save(content, "PNG")
    else:
        few = [page.quantize(128) for page in pages]
        times = [_MILLISECONDS] * (len(few) - 1) + [8 * _MILLISECONDS]
        few[0].save(content, "GIF", save_all=True, append_images=few[1:], duration=times, loop=0)
    write_bytes(path, content.getvalue())
    logger.info("%s", path)
