"""Train Mask R-CNN on instance labels (METHOD section 9)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from misc.learning.checkpoints import finish
from misc.learning.networks import load_backbone
from misc.learning.samples import DetectionSamples, detector_image
from misc.learning.stages import fill_batch, is_trained, learn
from misc.learning.supervision import (
    VALIDATED_IMAGES,
    Supervision,
    images_with_instances,
    note_split,
    supervised_by,
    supervised_path,
    supervisions,
    training_plan,
    val_truths,
)
from misc.learning.training import Schedule, make_optimizer
from misc.learning.validation import validation_precision
from misc.machine import ranks
from misc.machine.device import compute_of
from misc.running.dataset import Dataset
from misc.running.open_dataset import open_dataset
from misc.running.plan import Plan
from misc.running.shaped import shaped_by
from misc.running.truths import require_truth
from misc.settings.config import Config
from net.mask_rcnn import mask_rcnn, trainable_parameters

SHAPED_BY = (
    "seed",
    "precision",
    "pretrained",
    "infer_list",
    "mask_rcnn_steps",
    "mask_rcnn_drops",
    "mask_rcnn_batch_size",
    "mask_rcnn_learning_rate",
    "mask_rcnn_weight_decay",
    "mask_rcnn_momentum",
    "mask_rcnn_optimizer",
    "mask_rcnn_warmup_steps",
    "mask_rcnn_min_size",
    "mask_rcnn_max_size",
    "mask_rcnn_sampled_boxes",
)


def run(config: Config) -> None:
    """Train a network for each --supervision; write its weights."""
    dataset = open_dataset(config)
    val_ids = dataset.split(config.val_list)
    require_truth(dataset, val_truths(config, val_ids, "instance"), "train_mask_rcnn")
    for supervision in supervisions(config, dataset):
        train_one(config, dataset, supervision)


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    return training_plan(config, dataset, config.mask_rcnn_weights_name, semantic=False)


def train_one(config: Config, dataset: Dataset, supervision: Supervision) -> None:
    """Train on infer_list's instances of one supervision."""
    ids = supervision.labelled(dataset.split(config.infer_list), "instance")
    val_ids = dataset.split(config.val_list)
    weights = supervised_path(config.mask_rcnn_weights_name, supervision.name)
    find = partial(
        images_with_instances,
        supervision,
        num_workers=config.num_workers,
        flag=f"supervision {supervision.name}",
    )
    if config.limit:  # they are few, and the batch size in use shapes the weights
        ids = find(ids)
    config = fill_batch(config, "mask_rcnn_batch_size", len(ids))
    names = (*SHAPED_BY, *supervised_by(config, supervision.name, "ins_seg_out_dir"))
    kind = {"supervision": supervision.name}
    settings = shaped_by(config, dataset, "train_mask_rcnn", *names, ids=ids, extra=kind)
    if is_trained(config, weights, settings):
        return
    note_split(config, "Mask R-CNN")
    compute = compute_of(config)
    if not config.limit:
        ids = find(ids)
    torch.manual_seed(config.seed)
    model = compute.place(build_network(config, len(dataset.class_names)))
    learn(
        config,
        model,
        make_optimizer(
            config.mask_rcnn_optimizer,
            (trainable_parameters(model), []),
            rate=config.mask_rcnn_learning_rate,
            factors={"sgd": 1.0, "adamw": 1.0},
            momentum=config.mask_rcnn_momentum,
            weight_decay=config.mask_rcnn_weight_decay,
        ),
        DetectionSamples(
            ids=ids, read_image=dataset.image, read_instances=supervision.whole_instances
        ),
        partial(detection_losses, model),
        schedule=Schedule(
            steps=config.mask_rcnn_steps,
            batch_size=config.mask_rcnn_batch_size,
            warmup_steps=config.mask_rcnn_warmup_steps,
            drops=config.mask_rcnn_drops,
        ),
        validate=partial(
            validation_precision, model, dataset, val_ids[:VALIDATED_IMAGES], compute=compute
        ),
        every=config.mask_rcnn_eval_steps,
        collate=_as_lists,
        weights=weights,
        name=f"train_mask_rcnn_{supervision.name}",
    )
    finish(model, weights)


def build_network(config: Config, num_classes: int) -> Any:
    """Build Mask R-CNN with its backbone's weights."""
    model = mask_rcnn(
        num_classes,
        min_size=config.mask_rcnn_min_size,
        max_size=config.mask_rcnn_max_size,
        sampled_boxes=config.mask_rcnn_sampled_boxes,
    )
    load_backbone(model.backbone.body, config)
    return model


def detection_losses(model: nn.Module, batch: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Compute the five losses of the region proposals, the boxes and the masks of a batch.

    Each is torchvision's mean over what it samples from the batch. With several ranks it is a mean
    over this rank's samples, weighted by its part of the images; the ranks' mean is the loss.
    """
    images, targets = [detector_image(image) for image in batch[0]], batch[1]
    part = ranks.part(len(images))
    losses = model(images, targets)
    return {name.removeprefix("loss_"): part * loss for name, loss in losses.items()}


def _as_lists(samples: list[tuple[Any, Any]]) -> list[list[Any]]:
    return [list(part) for part in zip(*samples, strict=True)]
