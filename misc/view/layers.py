"""One image through every stage, as overlays: for --show and for the report."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from misc.centroids import cluster_centroids, find_centroids
from misc.files.dataset import Dataset, Images
from misc.files.images import read_label
from misc.files.instance_files import load_instances
from misc.files.labels import SURE, instance_path, label_path, semantic_paths
from misc.files.palette import class_entries, object_entries, object_palette
from misc.imutils import IGNORE, planes
from misc.machine.device import Compute
from misc.masks import counted_order, numbered_map
from misc.run.cam_forms import cam_folder
from misc.run.stage import supervised_path
from misc.run.synthesis import apply_irnet
from misc.settings.config import Config
from misc.view.pictures import (
    Layer,
    field_picture,
    grey,
    heat_colours,
    label_colours,
)

Fields = tuple[np.ndarray, np.ndarray]
HEAT = "score: dark blue 0, yellow 1"


def instance_sources(config: Config) -> list[tuple[str, Path, float]]:
    """Return the folders that hold detections as ID.npz, with the least score that is shown."""
    networks = [
        (f"Mask R-CNN{learnt_from(name)}", supervised_path(config.mask_rcnn_out_dir, name), SURE)
        for name in config.supervision
    ]
    return [("instance labels", Path(config.ins_seg_out_dir), 0.0), *networks]


def semantic_sources(config: Config) -> list[tuple[str, Path]]:
    """Return the folders that hold label maps as grey ID.png."""
    networks = [
        (f"DeepLab{learnt_from(name)}", supervised_path(config.deeplab_out_dir, name))
        for name in config.supervision
    ]
    return [("semantic label", Path(config.sem_seg_out_dir)), *networks]


def learnt_from(supervision: str) -> str:
    """Return the name of a network's training labels, where they are not IRNet's."""
    return {"irn": "", "cam": " of CAMs", "full": " of ground truth"}[supervision]


def image_layers(
    config: Config, dataset: Dataset, image_id: str, fields: Fields | None
) -> list[Layer]:
    """Return the overlays of an image: all existing results, in stage order, and ground truth.

    Args:
        config: names the stages' outputs.
        dataset: has the ground truth.
        image_id: the image.
        fields: its boundary and displacement, of `irnet_fields`; None leaves them out.
    """
    return [
        *_cams(config, dataset, image_id),
        *_relation(config, dataset, image_id),
        *([] if fields is None else _fields(config, *fields)),
        *_instances(config, dataset, image_id),
        *_semantics(config, dataset, image_id),
        *_truth(dataset, image_id),
    ]


def irnet_fields(model: Any, compute: Compute, image: np.ndarray) -> Fields:
    """Apply IRNet to a uint8 image: boundary (h, w) in [0, 1] and displacement (2, h, w)."""
    boundary, displacement = apply_irnet(model, compute, planes(image))
    return boundary[0].float().cpu().numpy(), displacement.float().cpu().numpy()


def _cams(config: Config, dataset: Dataset, image_id: str) -> Iterator[Layer]:
    try:
        cams = cam_folder(config, dataset).read(image_id, dataset.image(image_id).shape[:2])
    except FileNotFoundError:
        return
    for key, scores in zip(cams.keys, cams.high_res, strict=True):
        name = f"CAM: {dataset.class_names[key]}"
        yield Layer(title=name, picture=heat_colours(scores), opacity=0.6, note=HEAT)


def _relation(config: Config, dataset: Dataset, image_id: str) -> Iterator[Layer]:
    path = label_path(config.ir_label_out_dir, image_id)
    if path.is_file():
        label = read_label(path)
        note = "clear: confident background"
        yield class_layer("relation label", label, dataset, note=note)


def _fields(config: Config, boundary: np.ndarray, displacement: np.ndarray) -> Iterator[Layer]:
    yield Layer(title="boundary", picture=grey(boundary), note="white: probability 1")
    longest = max(4.0, float(np.percentile(np.hypot(*displacement), 98)))
    yield Layer(
        title="displacement",
        picture=field_picture(displacement, longest=longest),
        note=f"arrows: half the way; full colour: {4 * longest:.0f} pixels or more",
    )
    ends = find_centroids(displacement)
    instances = cluster_centroids(ends, displacement, threshold=config.small_displacement)
    yield Layer(
        title="centroids",
        picture=label_colours(instances % 255 + 1, object_palette()),
        opacity=0.5,
        note="a colour: pixels that gather at one centroid",
    )


def _instances(config: Config, dataset: Dataset, image_id: str) -> Iterator[Layer]:
    for name, folder, least in instance_sources(config):
        path = instance_path(folder, image_id)
        if path.is_file():
            yield instance_layer(name, load_instances(path), dataset.class_names, least=least)


def _semantics(config: Config, dataset: Dataset, image_id: str) -> Iterator[Layer]:
    for name, folder in semantic_sources(config):
        path, _ = semantic_paths(folder, image_id)
        if path.is_file():
            yield class_layer(name, read_label(path), dataset)


def _truth(dataset: Dataset, image_id: str) -> Iterator[Layer]:
    try:
        masks, classes = dataset.instance_label(image_id)
    except FileNotFoundError:
        return
    words = [dataset.class_names[class_id] for class_id in classes]
    # With equal scores they are numbered in the order of the file.
    yield _objects("truth: objects", numbered_map(masks, np.ones(len(masks))), words)
    yield class_layer("truth: classes", dataset.semantic_label(image_id), dataset)


def instance_layer(
    name: str, found: Mapping[str, np.ndarray], class_names: Sequence[str], *, least: float
) -> Layer:
    """Return the overlay of an image's instances of a score, as `load_instances` returns them."""
    words = [
        f"{class_names[found['class'][i]]} {found['score'][i]:.2f}"
        for i in counted_order(found["score"], least=least)
    ]
    numbers = numbered_map(found["mask"], found["score"], least=least)
    return _objects(name, numbers, words, note=f"score {least:g} or more" * (least > 0))


def class_layer(name: str, label: np.ndarray, dataset: Images, *, note: str = "") -> Layer:
    """Return the overlay of an image's semantic label, uint8 (H, W)."""
    labels = [int(value) for value in np.unique(label) if value not in (0, IGNORE)]
    unsure = bool((label == IGNORE).any())
    entries = class_entries(dataset.class_names, dataset.palette, labels, unsure=unsure)
    colours = label_colours(label, dataset.palette)
    return Layer(title=name, picture=colours, opacity=0.65, entries=entries, note=note)


def _objects(name: str, numbers: np.ndarray, words: list[str], *, note: str = "") -> Layer:
    colours = label_colours(numbers, object_palette())
    entries = object_entries(words) if words else []
    note = note if words else "none"
    return Layer(title=name, picture=colours, opacity=0.65, entries=entries, note=note)
