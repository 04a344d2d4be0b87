"""Draw one image through every stage, as one wide picture and a short film: `--show ID`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from misc.files.atomic import write_bytes
from misc.files.images import encode_png
from misc.looking.film import encode_gif, film
from misc.looking.layers import Fields, image_layers, irnet_fields
from misc.looking.panel import Cell, panel
from misc.looking.pictures import lay
from misc.machine.device import compute_of
from misc.running.cam_forms import cam_folder
from misc.running.dataset import Dataset
from misc.running.label_synthesis import load_irnet
from misc.running.log import logger
from misc.settings.config import Config

_WIDTH = 300  # of a picture that is smaller; pixels


def run(config: Config, dataset: Dataset) -> None:
    """Write a panel of the image --show with all results of the stages so far.

    With IRNet's weights and CAMs, also write a film of the two walks.
    """
    image_id = str(config.show)
    image = dataset.image(image_id)
    fields = None
    if Path(config.irn_weights_name).is_file():
        compute = compute_of(config)
        fields = irnet_fields(load_irnet(config, compute), compute, image)
    page, count = draw_panel(config, dataset, image_id, image, fields)
    path = Path(config.show_dir) / f"{image_id}.png"
    write_bytes(path, encode_png(page))
    logger.info("%s: %d pictures", path, count)
    if fields is not None:
        write_film(config, dataset, image_id, image, fields)


def draw_panel(
    config: Config, dataset: Dataset, image_id: str, image: np.ndarray, fields: Fields | None
) -> tuple[np.ndarray, int]:
    """Draw the panel of an image, uint8 (H, W, 3); also return its number of pictures."""
    layers = image_layers(config, dataset, image_id, fields)
    laid = [replace(each, picture=lay(image, each.picture, each.opacity)) for each in layers]
    cells = [Cell(title=f"image {image_id}", picture=image), *laid]
    width = max(_WIDTH, image.shape[1])
    height = round(width * image.shape[0] / image.shape[1])
    return panel(cells, (height, width), columns=-(-len(cells) // 2)), len(cells)


def write_film(
    config: Config, dataset: Dataset, image_id: str, image: np.ndarray, fields: Fields
) -> None:
    """Write the film of an image's two walks beside its panel, if it has CAMs."""
    try:
        cams = cam_folder(config, dataset).read(image_id, image.shape[:2])
    except FileNotFoundError:
        return
    frames = film(
        image,
        cams.cam**config.cam_power,
        *fields,
        small_displacement=config.small_displacement,
        beta=config.beta,
        exp_times=config.exp_times,
        radius=config.walk_radius,
    )
    path = Path(config.show_dir) / f"{image_id}.gif"
    write_bytes(path, encode_gif(frames))
    logger.info("%s: %d frames", path, len(frames))
