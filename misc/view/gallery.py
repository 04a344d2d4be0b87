"""The report's gallery: the images that it shows, each with the overlays of every stage."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from misc.evaluate.details import read_details
from misc.files.dataset import Dataset
from misc.files.palette import class_entries
from misc.run.open_dataset import image_labels
from misc.run.workers import map_images
from misc.settings.config import Config
from misc.view.layers import image_layers, network_folders, open_irnet
from misc.view.page import page_image


def draw_images(config: Config, dataset: Dataset) -> list[dict[str, Any]]:
    """Choose --report_images images, and convert them with all their results to the page's JSON.

    A quarter are of --val_list if a network that was trained on the labels is evaluated there.
    """
    has_networks = any(folder.is_dir() for _, folder in network_folders(config))
    from_val = config.report_images // 4 if has_networks else 0
    irnet = open_irnet(config)
    try:
        evaluated = dataset.split(config.chainer_eval_set)
    except FileNotFoundError:
        evaluated = dataset.split(config.infer_list)
    entries = {}
    for ids, stage, where, count in (
        (evaluated, "eval_sem_seg", "", config.report_images - from_val),
        (
            dataset.split(config.val_list) if from_val else [],
            "eval_deeplab",
            ", measured with the networks",
            from_val,
        ),
    ):
        scores = read_details(config, stage).get("images", {})
        keys = image_labels(dataset, ids)
        chosen = choose_images(ids, keys, scores, count)
        for image_id, image in map_images(list(chosen), dataset.image, description="report"):
            layers = image_layers(config, dataset, image_id, image, irnet(image))
            iou = scores.get(image_id)
            words = chosen[image_id] + where + ("" if iou is None else f", IoU {iou:.3f}")
            labels = [int(key) + 1 for key in keys[image_id]]
            classes = class_entries(dataset.class_names, dataset.palette, labels)
            entry = page_image(image_id, image, layers, words=words, classes=classes)
            entries[image_id] = entry
    return list(entries.values())


def choose_images(
    ids: Sequence[str],
    classes: Mapping[str, Iterable[int]],
    scores: Mapping[str, float | None],
    count: int,
) -> dict[str, str]:
    """Choose images: the worst, the best, each class, then others; for each its reason.

    A sixth are the worst and a sixth the best by score; then one of each class that is still
    missing, the rarest first; images spaced evenly over the list fill up.

    Args:
        ids: the images.
        classes: those of each image.
        scores: of the images, where known.
        count: how many to choose, at most.
    """
    known = {i: value for i in ids if (value := scores.get(i)) is not None}
    ranked = sorted(known, key=lambda image_id: known[image_id])
    ends = min(count // 6, len(ranked) // 2)
    chosen = dict.fromkeys(ranked[:ends], "among the worst")
    chosen |= dict.fromkeys(ranked[len(ranked) - ends :][::-1], "among the best")

    images_of: dict[int, list[str]] = {}
    for image_id in ids:
        for class_id in classes[image_id]:
            images_of.setdefault(int(class_id), []).append(image_id)
    for images in sorted(images_of.values(), key=len):
        if len(chosen) < count and chosen.keys().isdisjoint(images):
            chosen[images[len(images) // 2]] = "for its classes"
    rest = [image_id for image_id in ids if image_id not in chosen]
    return chosen | dict.fromkeys(spread(rest, count - len(chosen)), "from the list")


def spread(ids: Sequence[str], count: int) -> Sequence[str]:
    """Return at most so many images, spaced evenly over the list."""
    return ids[:: max(1, len(ids) // max(1, count))][:count]
