"""Draw one image through every stage, as one wide picture and a short film: `--show ID`."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from misc.files.atomic import write_bytes
from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.cam_forms import cam_folder
from misc.run.label_synthesis import load_irnet
from misc.run.log import logger
from misc.settings.config import Config
from misc.view.film import film
from misc.view.layers import Fields, image_layers, irnet_fields
from misc.view.panel import panel
from misc.view.pictures import Layer
from misc.view.plots import encode

_MILLISECONDS = 160  # of a frame; the last is held eight times as long


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
    layers = image_layers(config, dataset, image_id, fields)
    pictures = [Layer(title=f"image {image_id}"), *layers]
    figure = panel(image, pictures, columns=-(-len(pictures) // 2), longest=500)
    path = Path(config.show_dir) / f"{image_id}.png"
    write_bytes(path, encode(figure, "png"))
    logger.info("%s: %d pictures", path, len(pictures))
    if fields is not None:
        write_film(config, dataset, image_id, image, fields)


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
    pages = [Image.fromarray(frame).quantize(128) for frame in frames]
    durations = [_MILLISECONDS] * (len(pages) - 1) + [8 * _MILLISECONDS]
    content = io.BytesIO()
    pages[0].save(
        content, "GIF", save_all=True, append_images=pages[1:], duration=durations, loop=0
    )
    write_bytes(path, content.getvalue())
    logger.info("%s: %d frames", path, len(frames))
