"""Evaluate Mask R-CNN on val_list (METHOD sections 8 and 9)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import voc12
from misc import ranks
from misc.coco import coco_average_precision, instance_records
from misc.config import Config
from misc.device import Compute
from misc.imutils import planes
from misc.instance_files import load_instances
from misc.legend import object_entries, write_legend
from misc.log import logger
from misc.metrics import ImageMatches, average_precision, match_detections
from misc.plan import Plan
from misc.provenance import claim_folder
from misc.samples import detector_image
from misc.weights import load_weights
from misc.workers import collect_images, run_images
from net.mask_rcnn import as_detections, mask_rcnn
from step.common import compute_of, open_dataset, record_measures, shaped_by
from step.details import network_details, plain, write_details
from step.eval_ins_seg import match_image, precision_measures
from step.label_synthesis import (
    INSTANCE_FILES,
    SURE,
    instance_path,
    instance_paths,
    write_instances,
)
from step.make_cocoann import annotations
from step.supervision import (
    evaluation_plan,
    read_trained,
    supervised_path,
    supervision_of,
    trained_with,
)

SHAPED_BY = ("precision", "mask_rcnn_min_size", "mask_rcnn_max_size")


def run(config: Config) -> None:
    """Write the detections of each network of --supervision on val_list, and measure them."""
    dataset = open_dataset(config)
    ids = dataset.split(config.val_list)
    compute = compute_of(config)
    for name in config.supervision:
        weights = supervised_path(config.mask_rcnn_weights_name, name)
        model = load_mask_rcnn(config, dataset, weights, compute=compute)
        folder = supervised_path(config.mask_rcnn_out_dir, name)
        trained = trained_with(weights, "mask_rcnn_weights_name")
        settings = shaped_by(config, "eval_mask_rcnn", *SHAPED_BY, extra=trained)
        claim_folder(folder, settings, files=INSTANCE_FILES, images=ids, overwrite=config.overwrite)
        run_images(
            ids,
            partial(load_image, dataset),
            process=partial(write_detections, model, folder, compute),
            outputs=lambda image_id, folder=folder: instance_paths(folder, image_id),
            num_workers=compute.num_workers,
            device=compute.device,
            description=f"detect ({name})",
        )
        records, coco = match_images(config, dataset, ids, folder)
        ranks.on_first(partial(write_measures, config, dataset, name, folder, records, coco))


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read and written."""

    def path(name: str, image_id: str) -> Path:
        return instance_path(supervised_path(config.mask_rcnn_out_dir, name), image_id)

    return evaluation_plan(config, dataset, "mask_rcnn", config.mask_rcnn_weights_name, path)


def load_mask_rcnn(
    config: Config, dataset: voc12.Dataset, weights: Path, *, compute: Compute
) -> nn.Module:
    """Load a trained Mask R-CNN, in eval mode."""
    model = mask_rcnn(
        len(dataset.class_names),
        min_size=config.mask_rcnn_min_size,
        max_size=config.mask_rcnn_max_size,
    )
    source = f"--mask_rcnn_weights_name {weights}"
    load_weights(model, read_trained(weights, "mask_rcnn"), source=source)
    return compute.place(model).eval()


def load_image(dataset: voc12.Dataset, image_id: str) -> torch.Tensor:
    """Read an image, uint8 (3, H, W)."""
    return planes(dataset.image(image_id))


@torch.inference_mode()
def detect_objects(
    model: nn.Module, compute: Compute, image: torch.Tensor
) -> dict[str, np.ndarray]:
    """Detect the objects in an image, uint8 (3, H, W); see `net.mask_rcnn.as_detections`."""
    with compute.autocast():
        (output,) = model([detector_image(compute.put(image))])
    return as_detections(output)


def write_detections(
    model: nn.Module, folder: Path, compute: Compute, image_id: str, image: torch.Tensor
) -> None:
    """Detect the objects in an image and write them as instance labels are."""
    found = detect_objects(model, compute, image)
    write_instances(folder, image_id, found, least_score=SURE)


def match_images(
    config: Config, dataset: voc12.Dataset, ids: Sequence[str], folder: Path
) -> tuple[list[ImageMatches], tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Collect what the measures need of the detections in a folder.

    Returns:
        VOC's matches of each image, and COCO's ground truth and detections.
    """
    found = collect_images(
        ids,
        partial(describe_detections, dataset, folder),
        num_workers=config.num_workers,
        description="eval_mask_rcnn",
    )
    full = supervision_of(config, dataset, "full")
    truth = annotations(full, ids, num_workers=config.num_workers)
    detections = [
        {"image_id": number, **record}
        for number, (_, described) in enumerate(found, start=1)
        for record in described
    ]
    return [matches for matches, _ in found], (truth, detections)


def describe_detections(
    dataset: voc12.Dataset, folder: Path, image_id: str
) -> tuple[ImageMatches, list[dict[str, Any]]]:
    """Match an image's detections to its ground truth, and give their COCO records."""
    described = instance_records(load_instances(instance_path(folder, image_id)))
    return match_image(dataset, folder, image_id), described


def write_measures(
    config: Config,
    dataset: voc12.Dataset,
    supervision: str,
    folder: Path,
    records: Sequence[ImageMatches],
    coco: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """Write VOC's AP, AP50 of each class, COCO's AP (the mean over IoU 0.5 to 0.95), the legend."""
    write_legend(folder, object_entries())
    split, num_classes = config.val_list, len(dataset.class_names)
    by_class = average_precision(records, (0.5,), num_classes=num_classes)[0]
    details = {"AP50": plain(by_class)}
    write_details(config, network_details("eval_mask_rcnn", supervision), details, split=split)
    measures = precision_measures(records, num_classes)
    try:
        measures["COCO AP"] = coco_average_precision(*coco)
    except ModuleNotFoundError as error:
        logger.info("COCO AP is left out: %s", error)
    record_measures(config, "eval_mask_rcnn", measures, split=split, supervision=supervision)


def validation_precision(
    model: nn.Module, dataset: voc12.Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Measure VOC's AP of a network while it learns, without writing anything."""

    def process(image_id: str, image: torch.Tensor) -> Any:
        found = detect_objects(model, compute, image)
        truth = dataset.instance_label(image_id)
        return match_detections(found["mask"], found["score"], found["class"], *truth)

    records = collect_images(
        ids,
        partial(load_image, dataset),
        process=process,
        num_workers=compute.num_workers,
        device=compute.device,
        description="validate",
    )
    return ranks.on_first(lambda: precision_measures(records, len(dataset.class_names)))
