"""Train Mask R-CNN on instance labels (METHOD section 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from misc.evaluate.evaluation import instance_truth, match_found, precision_measures
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.run.log import logger
from misc.run.open_dataset import evaluated_images
from misc.run.stage import label_source_path
from misc.run.workers import collect_images
from misc.settings.config import Config
from misc.train.inference import detect_objects, detector_image, load_image
from misc.train.networks import check_backbone, fill_backbone
from misc.train.records import claim_training, save_training
from misc.train.samples import DetectionSamples
from misc.train.supervision import VALIDATED_IMAGES, Supervision
from misc.train.training import Schedule, make_optimizer, train
from net.mask_rcnn import mask_rcnn_of, trainable_parameters


def run(config: Config, dataset: Dataset) -> None:
    """Train a network on infer_list's labels of each --supervision; write its weights."""
    val_ids = evaluated_images(
        config, dataset, ("instance",), stage="train_mask_rcnn", flag="val_list"
    )
    for name in config.supervision:
        labels = Supervision(name, "instance", config, dataset)
        train_network(config, labels, val_ids[:VALIDATED_IMAGES])


def train_network(config: Config, labels: Supervision, val_ids: Sequence[str]) -> None:
    """Train a network on labels, where it is not trained yet."""
    dataset = labels.dataset
    ids = labels.labelled(dataset.split(config.infer_list))
    weights = label_source_path(config.mask_rcnn_weights_name, labels.name)
    settings, is_trained = claim_training(config, dataset, "mask_rcnn", ids, weights, labels)
    if is_trained:
        return
    samples = DetectionSamples(
        ids=images_with_instances(labels, ids, num_workers=config.num_workers),
        read_image=dataset.image,
        read_instances=labels.instances,
    )
    compute = compute_of(config)
    torch.manual_seed(config.seed)
    model = mask_rcnn_of(config, len(dataset.class_names))
    fill_backbone(model, "backbone.body", config)
    compute.place(model)
    optimizer = make_optimizer(
        config.mask_rcnn_optimizer,
        [{"params": trainable_parameters(model), "lr": config.mask_rcnn_learning_rate}],
        momentum=config.mask_rcnn_momentum,
        weight_decay=config.mask_rcnn_weight_decay,
    )
    schedule = Schedule(
        batch_size=config.mask_rcnn_batch_size,
        steps=config.mask_rcnn_steps,
        warmup_steps=config.mask_rcnn_warmup_steps,
        drops=config.mask_rcnn_drops,
    )
    train(
        config,
        model,
        optimizer,
        samples,
        detection_losses,
        schedule,
        name=f"train_mask_rcnn_{labels.name}",
        weights=weights,
        validate=partial(validation_precision, dataset=dataset, ids=val_ids, compute=compute)
        if val_ids
        else None,
        every=config.mask_rcnn_eval_steps,
    )
    save_training(model, weights, settings)


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights that the backbone begins with; see `check_backbone`."""
    build = partial(mask_rcnn_of, config, len(dataset.class_names))
    check_backbone(build, "backbone.body", config, dataset, coming)


def images_with_instances(
    labels: Supervision, ids: Sequence[str], *, num_workers: int
) -> list[str]:
    """Return the images whose labels have an instance to train on, and log the others' number."""
    counts = collect_images(
        ids,
        partial(_count_instances, labels),
        num_workers=num_workers,
        description="count instances",
    )
    kept = [image_id for image_id, count in zip(ids, counts, strict=True) if count]
    if not kept:
        raise ValueError(
            f"--supervision {labels.name}: none of the {len(ids)} images has an instance to "
            "train on; make labels with another --ins_seg_bg_thres, or evaluate the CAMs with "
            "--eval_cam_pass True"
        )
    if len(kept) < len(ids):
        words = "%d of %d images have no instance and are left out"
        logger.info(words, len(ids) - len(kept), len(ids))
    return kept


def _count_instances(labels: Supervision, image_id: str) -> int:
    return len(labels.instances(image_id)["score"])


def detection_losses(model: nn.Module, batch: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Compute the five losses of the region proposals, the boxes and the masks of a batch.

    Each is torchvision's mean over what it samples from the batch. With several ranks it is a mean
    over this rank's samples, weighted by its part of the images; the ranks' mean is the loss.
    """
    images, targets = [detector_image(image) for image in batch[0]], batch[1]
    weight = ranks.loss_weight(len(images))
    losses = model(images, targets)
    return {name.removeprefix("loss_"): weight * loss for name, loss in losses.items()}


def validation_precision(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Compute VOC's AP of a network during training, without writing anything."""

    def process(image_id: str, image: torch.Tensor) -> Any:
        found = detect_objects(model, compute, image)
        return match_found(found, instance_truth(dataset, image_id))

    records = collect_images(
        ids,
        partial(load_image, dataset),
        process=process,
        num_workers=compute.num_workers,
        description="validate",
    )
    return ranks.on_first(lambda: precision_measures(records, len(dataset.class_names)))
