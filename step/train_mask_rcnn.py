"""Train Mask R-CNN on instance labels (METHOD section 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.settings.config import Config
from misc.train.networks import check_backbone, load_backbone
from misc.train.samples import DetectionSamples, detector_image
from misc.train.stages import train_on_labels
from misc.train.supervision import Supervision
from misc.train.validation import validation_precision
from net.mask_rcnn import mask_rcnn_of, trainable_parameters


def run(config: Config, dataset: Dataset) -> None:
    """Train a network for each --supervision; write its weights."""
    train_on_labels(
        config,
        dataset,
        "mask_rcnn",
        weights_name=config.mask_rcnn_weights_name,
        build=partial(build_network, config),
        samples=training_set,
        losses=detection_losses,
        validate=validation_precision,
        parameters=lambda model: (trainable_parameters(model), []),
        drops=config.mask_rcnn_drops,
        every=config.mask_rcnn_eval_steps,
        collate=_as_lists,
    )


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights that the backbone begins with; see `check_backbone`."""
    num_classes = len(dataset.class_names)
    build = partial(mask_rcnn_of, config, num_classes)
    check_backbone(build, "backbone.body", config, num_classes, config.backbone, coming)


def build_network(config: Config, num_classes: int) -> Any:
    """Build Mask R-CNN with its backbone's weights."""
    model = mask_rcnn_of(config, num_classes)
    load_backbone(model.backbone.body, config, name=config.backbone)
    return model


def training_set(supervision: Supervision, ids: Sequence[str]) -> DetectionSamples:
    """Return images with their instances of a supervision."""
    return DetectionSamples(
        ids=ids, read_image=supervision.dataset.image, read_instances=supervision.whole_instances
    )


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
