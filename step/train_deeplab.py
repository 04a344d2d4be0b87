"""Train DeepLab-v2 on semantic labels (METHOD section 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from misc.files.dataset import Dataset
from misc.imutils import IGNORE, normalize_crop
from misc.settings.config import Config
from misc.train.networks import check_backbone, load_backbone
from misc.train.samples import SegmentationSamples
from misc.train.stages import train_on_labels
from misc.train.supervision import Supervision
from misc.train.validation import validation_iou
from net.deeplab import DeepLab, deeplab_of, label_loss


def run(config: Config, dataset: Dataset) -> None:
    """Train a network for each --supervision; write its weights."""
    train_on_labels(
        config,
        dataset,
        "deeplab",
        weights_name=config.deeplab_weights_name,
        build=partial(build_network, config),
        samples=partial(training_set, config.deeplab_crop_size),
        losses=segmentation_loss,
        validate=validation_iou,
        every=config.deeplab_eval_steps,
    )


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights that the backbone begins with; see `check_backbone`."""
    num_classes, backbone = len(dataset.class_names), config.deeplab_backbone or config.backbone
    build = partial(deeplab_of, config, num_classes)
    check_backbone(build, "resnet50", config, num_classes, backbone, coming)


def build_network(config: Config, num_classes: int) -> DeepLab:
    """Build DeepLab with its backbone's weights."""
    model = deeplab_of(config, num_classes)
    load_backbone(model.resnet50, config, name=config.deeplab_backbone or config.backbone)
    return model


def training_set(
    crop_size: int, supervision: Supervision, ids: Sequence[str]
) -> SegmentationSamples:
    """Return images with their semantic labels of a supervision."""
    return SegmentationSamples(
        ids=ids,
        read_image=supervision.dataset.image,
        read_label=supervision.semantic,
        crop_size=crop_size,
        remedy="make it again with --make_sem_seg_pass True",
    )


def segmentation_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the cross entropy of a batch of `SegmentationSamples`."""
    crop, extent, label = batch
    return {"loss": label_loss(model(normalize_crop(crop, extent)), label, ignore=IGNORE)}
