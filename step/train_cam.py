"""Train the classification network (METHOD section 1)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from misc.files.dataset import Dataset
from misc.imutils import normalize_crop
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.metrics import ranking_precision
from misc.run.open_dataset import label_rows
from misc.settings.config import Config
from misc.train.networks import (
    check_backbone,
    check_weights,
    classifier,
)
from misc.train.pretrained import load_pretrained
from misc.train.samples import ClassificationSamples
from misc.train.stages import train_network
from misc.train.validation import measure_crops


def run(config: Config, dataset: Dataset) -> None:
    """Train on train_list, validate on val_list after each epoch, write --cam_weights_name."""
    ids, val_ids = dataset.split(config.train_list), dataset.split(config.val_list)
    compute = compute_of(config)
    train_network(
        config,
        dataset,
        "cam",
        ids,
        weights=Path(config.cam_weights_name),
        build=partial(build_network, config, len(dataset.class_names)),
        samples=lambda: ClassificationSamples(
            ids=ids,
            labels=label_rows(dataset, ids),
            read_image=dataset.image,
            crop_size=config.cam_crop_size,
            resize_long=config.cam_resize_long,
        ),
        losses=classification_loss,
        validate=partial(
            validation_measures,
            dataset=dataset,
            ids=val_ids,
            crop_size=config.cam_crop_size,
            compute=compute,
        ),
    )


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the network, and the weights that it begins with; see `check_backbone`."""
    num_classes = len(dataset.class_names)
    build = partial(untrained_network, config, num_classes)
    if config.pretrained == "none":
        check_weights(build, "cam_network", [], coming)
    else:
        check_backbone(build, "resnet50", config, num_classes, config.backbone, coming)


def build_network(config: Config, num_classes: int) -> Any:
    """Build the classification network with its initial weights: ImageNet's, a file's or random."""
    model = untrained_network(config, num_classes)
    if config.pretrained != "none":
        load_pretrained(model.resnet50, config.pretrained, name=config.backbone)
    return model


def untrained_network(config: Config, num_classes: int) -> Any:
    """Build the classification network with random weights."""
    return classifier(config, num_classes, "Net", train_whole=config.pretrained == "none")


def classification_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the multi-label soft margin loss of a batch of `ClassificationSamples`.

    With several ranks it is scaled so that the ranks' mean is the mean over all images.
    """
    crop, extent, label = batch
    logit = model(normalize_crop(crop, extent)).float()
    return {"loss": F.multilabel_soft_margin_loss(logit, label) * ranks.part(len(label))}


def validation_measures(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, crop_size: int, compute: Compute
) -> dict[str, float]:
    """Compute the mean loss over the images of a list, and the mAP of their classes."""
    labels = torch.from_numpy(label_rows(dataset, ids))
    logits = measure_crops(
        model,
        lambda _, logit: logit[0],
        dataset,
        ids,
        crop_size=crop_size,
        compute=compute,
        description="validate",
    )
    found = {"val_loss": float(F.multilabel_soft_margin_loss(logits, labels))}
    if labels.any():
        found["val_mAP"] = ranking_precision(logits.numpy(), labels.numpy() > 0)
    return found
