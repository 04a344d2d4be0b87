"""Evaluate Mask R-CNN on val_list (METHOD sections 8 and 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from misc.evaluate.detections import measure_detections
from misc.files.dataset import Dataset
from misc.files.labels import SURE, instance_paths, write_instances
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.run.log import logger
from misc.run.open_dataset import evaluated_images
from misc.run.records import remove_recorded
from misc.run.stage import label_source_path
from misc.run.workers import run_images
from misc.settings.config import Config
from misc.train.inference import detect_objects, load_image
from misc.train.networks import check_weights, load_network
from misc.train.records import claim_predictions, warn_of_seen
from net.mask_rcnn import mask_rcnn_of


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
            of = {"split": config.val_list, "supervision": name}
            measure_detections(config, dataset, "eval_mask_rcnn", truth_ids, folder, **of)
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
