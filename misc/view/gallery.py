"""The report's gallery: some images, each with the overlays of every stage."""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape

import numpy as np

from misc.evaluate.measures import read_details
from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.workers import Way, map_images
from misc.settings.config import Config
from misc.view.layers import Layer, image_layers, network_folders, open_irnet
from misc.view.page import embedded, picture, picture_row
from misc.view.panel import draw

LONGEST = 320  # of an image's sides, pixels
# What the pictures of an image show, in the order of the stages.
PICTURES = (
    ("CAM", "where the classification network sees the class"),
    ("relation label", "what IRNet learns from: the classes of which the CAMs are confident"),
    ("boundary", "where IRNet sees the edge of an object, which scores do not cross in the walk"),
    ("displacement", "the way that IRNet sees from each pixel to the centre of its object"),
    ("centroids", "pixels whose ways end at one centre, each group in a colour of its own"),
    ("instance labels", "the result: each object in a colour of its own, with its score"),
    ("semantic label", "the result: the class of each pixel"),
    ("Mask R-CNN, DeepLab", "what networks that learnt from labels predict"),
    ("truth", "the ground truth, where there is some"),
)


def gallery_from(config: Config, dataset: Dataset) -> list[str]:
    """Return --report_images images with all their results, each as HTML.

    A quarter are of --val_list if a network that was trained on the labels is evaluated there.
    """
    networks = config.mask_rcnn_out_dir, config.deeplab_out_dir, config.supervision
    has_networks = any(folder.is_dir() for _, folder in network_folders(*networks))
    from_val = config.report_images // 4 if has_networks else 0
    try:
        evaluated = dataset.split(config.chainer_eval_set)
    except FileNotFoundError:
        evaluated = dataset.split(config.infer_list)
    scores = read_details(config.details_dir, "eval_sem_seg").get("images", {})
    chosen = choose_images(evaluated, scores, config.report_images - from_val)
    if from_val:
        scores = read_details(config.details_dir, "eval_deeplab").get("images", {})
        of_val = choose_images(dataset.split(config.val_list), scores, from_val)
        chosen |= {image_id: f"{words}, of {config.val_list}" for image_id, words in of_val.items()}
    irnet = open_irnet(config, len(dataset.class_names))

    def process(image_id: str, image: np.ndarray) -> Way:
        layers = image_layers(config, dataset, image_id, image, irnet(image))
        pictures = [(image, layer) for layer in (Layer(title="image"), *layers)]
        return (yield partial(draw_article, f"{image_id}: {chosen[image_id]}", pictures))

    found = map_images(
        list(chosen),
        dataset.image,
        process=process,
        compute=compute_of(config),
        description="report",
    )
    return [article for _, article in found]


def draw_article(heading: str, pictures: Sequence[tuple[np.ndarray, Layer]]) -> str:
    """Draw images, uint8 (H, W, 3), each with an overlay, side by side as HTML."""
    drawn = [
        picture(embedded("jpeg", draw(image, layer, longest=LONGEST, kind="jpg")), layer.title)
        for image, layer in pictures
    ]
    return f"<article><h3>{escape(heading)}</h3>{picture_row(drawn)}</article>"


def choose_images(
    ids: Sequence[str], scores: Mapping[str, float | None], count: int
) -> dict[str, str]:
    """Choose at most `count` images by their IoU; for each the reason.

    A sixth are the worst and a sixth the best; the others are spaced evenly over the list.
    """
    known = {i: score for i in ids if (score := scores.get(i)) is not None}
    ranked = sorted(known, key=lambda image_id: known[image_id])
    ends = min(count // 6, len(ranked) // 2)
    chosen = {i: f"among the worst, IoU {known[i]:.3f}" for i in ranked[:ends]}
    best = ranked[len(ranked) - ends :][::-1]
    chosen |= {i: f"among the best, IoU {known[i]:.3f}" for i in best}
    rest = [image_id for image_id in ids if image_id not in chosen]
    more = count - len(chosen)
    spread = rest[:: max(1, len(rest) // max(1, more))][:more]
    return chosen | {i: f"IoU {known[i]:.3f}" if i in known else "from the list" for i in spread}
