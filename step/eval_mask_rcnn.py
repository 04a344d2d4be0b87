"""Evaluate Mask R-CNN on val_list (METHOD sections 8 and 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from misc.evaluate.details import network_details, plain, write_details
from misc.evaluate.evaluation import (
    dataset_matches,
    instance_truth,
    match_found,
    precision_measures,
)
from misc.evaluate.measures import record_measures
from misc.files.coco_precision import CocoMatches, coco_measures, match_masks
from misc.files.dataset import Dataset
from misc.files.instance_files import load_instances
from misc.files.labels import SURE, instance_path, instance_paths, write_instances
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.metrics import ImageMatches, average_precision
from misc.run.log import logger
from misc.run.open_dataset import evaluated_images
from misc.run.records import remove_recorded
from misc.run.stage import label_source_path
from misc.run.workers import collect_images, run_images
from misc.settings.config import Config
from misc.train.inference import detect_objects, load_image
from misc.train.networks import check_weights, load_network
from misc.train.records import claim_predictions, warn_of_seen
from net.mask_rcnn import mask_rcnn_of

COCO_AP = "COCO AP"


def run(config: Config, dataset: Dataset) -> None:
    """Write and evaluate the detections of each network of --supervision on val_list.

    Those on --mask_rcnn_server_list are written for the data set's server.
    """
    compute = compute_of(config)
    for name in config.supervision:
        weights = label_source_path(config.mask_rcnn_weights_name, name)
        model = load_network(
            mask_rcnn_of(config, len(dataset.class_names)),
            weights,
            flag="mask_rcnn_weights_name",
            stage="train_mask_rcnn",
            compute=compute,
        )
        claim = partial(claim_predictions, config, dataset, "mask_rcnn", weights)
        detect = partial(detect_images, model, dataset, compute=compute, supervision=name)

        folder = label_source_path(config.mask_rcnn_out_dir, name)
        ids = dataset.split(config.val_list)
        claim(folder, ids)
        detect(ids, folder)
        if truth_ids := evaluated_images(
            config, dataset, ("instance",), stage="eval_mask_rcnn", flag="val_list"
        ):
            warn_of_seen(weights, dataset, truth_ids, source=f"--val_list {config.val_list}")
            matched = match_images(config, dataset, truth_ids, folder)
            ranks.on_first(partial(write_measures, config, dataset, name, *matched))
        if config.mask_rcnn_server_list:
            folder = label_source_path(config.mask_rcnn_server_dir, name)
            listed = dataset.split(config.mask_rcnn_server_list)
            claim(folder, listed, dataset.packed_instances)
            detect(listed, folder)
            remove_recorded(folder, dataset.packed_instances)
            packed = ranks.on_first(partial(dataset.pack_instances, folder, listed))
            logger.info("for the evaluation server: %s", packed or f"the detections in {folder}")


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights of each --supervision; see `check_weights`."""
    build = partial(mask_rcnn_of, config, len(dataset.class_names))
    paths = [label_source_path(config.mask_rcnn_weights_name, name) for name in config.supervision]
    check_weights(build, "mask_rcnn_weights_name", paths, coming)


def detect_images(
    model: nn.Module,
    dataset: Dataset,
    ids: Sequence[str],
    folder: Path,
    *,
    compute: Compute,
    supervision: str,
) -> None:
    """Write the detections on images."""
    run_images(
        ids,
        partial(load_image, dataset),
        process=partial(write_detections, model, folder, compute),
        outputs=partial(instance_paths, folder),
        num_workers=compute.num_workers,
        description=f"detect ({supervision})",
    )


def write_detections(
    model: nn.Module, folder: Path, compute: Compute, image_id: str, image: torch.Tensor
) -> None:
    """Detect the objects in an image and write them in the format of instance labels."""
    found = detect_objects(model, compute, image)
    write_instances(folder, image_id, found, least_score=SURE)


def match_images(
    config: Config, dataset: Dataset, ids: Sequence[str], folder: Path
) -> tuple[list[ImageMatches], list[Any], list[CocoMatches]]:
    """Match the detections in a folder by VOC's, the data set's own, and COCO's rule."""
    found = collect_images(
        ids,
        partial(match_image, dataset, folder),
        num_workers=config.num_workers,
        description="eval_mask_rcnn",
    )
    by_voc, own, by_coco = map(list, zip(*found, strict=True))
    return by_voc, own, by_coco


def match_image(
    dataset: Dataset, folder: Path, image_id: str
) -> tuple[ImageMatches, Any, CocoMatches]:
    """Match an image's detections by VOC's, the data set's own, and COCO's rule."""
    found = load_instances(instance_path(folder, image_id))
    masks, classes, regions, region_classes = truth = instance_truth(dataset, image_id)
    own = dataset_matches(dataset, image_id, found)
    if isinstance(own, CocoMatches):
        return match_found(found, truth), own, own
    crowd = np.arange(len(masks) + len(regions)) >= len(masks)
    by_coco = match_masks(
        found,
        np.concatenate([masks, regions]) if len(regions) else masks,
        np.concatenate([classes, region_classes]),
        crowd=crowd,
    )
    return match_found(found, truth), own, by_coco


def write_measures(
    config: Config,
    dataset: Dataset,
    supervision: str,
    by_voc: Sequence[ImageMatches],
    own: Sequence[Any],
    by_coco: Sequence[CocoMatches],
) -> None:
    """Write VOC's AP, AP50 of each class, COCO's AP, the data set's own measures."""
    split, num_classes = config.val_list, len(dataset.class_names)
    by_class = average_precision(by_voc, (0.5,), num_classes=num_classes)[0]
    details = {"AP50": plain(by_class)}
    write_details(config, network_details("eval_mask_rcnn", supervision), details, split=split)
    measures = precision_measures(by_voc, num_classes) | dataset.instance_measures(own)
    if COCO_AP not in measures:
        measures |= {n: v for n, v in coco_measures(by_coco).items() if n == COCO_AP}
    record_measures(
        config, dataset, "eval_mask_rcnn", measures, split=split, supervision=supervision
    )
    if COCO_AP not in measures:
        logger.info("%s is left out: no image of --val_list %s has an object", COCO_AP, split)
