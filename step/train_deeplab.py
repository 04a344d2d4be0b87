"""Train DeepLab-v2 on semantic labels (METHOD section 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from misc.files.dataset import Dataset
from misc.imutils import IGNORE, normalize_crop
from misc.machine.device import Compute, compute_of
from misc.metrics import confusion, mean_iou
from misc.run.open_dataset import evaluated_images
from misc.run.stage import label_source_path
from misc.run.workers import collect_images
from misc.settings.config import Config
from misc.train.inference import LoadedScales, load_scales, probabilities
from misc.train.networks import check_backbone, fill_backbone
from misc.train.records import claim_training, save_training
from misc.train.samples import SegmentationSamples
from misc.train.supervision import VALIDATED_IMAGES, Supervision
from misc.train.training import RATE_FACTORS, Schedule, make_optimizer, train
from net.deeplab import deeplab_of, label_loss


def run(config: Config, dataset: Dataset) -> None:
    """Train a network on infer_list's labels of each --supervision; write its weights."""
    val_ids = evaluated_images(
        config, dataset, ("semantic",), stage="train_deeplab", flag="val_list"
    )
    for name in config.supervision:
        labels = Supervision(name, "semantic", config, dataset)
        train_network(config, labels, val_ids[:VALIDATED_IMAGES])


def train_network(config: Config, labels: Supervision, val_ids: Sequence[str]) -> None:
    """Train a network on labels, where it is not trained yet."""
    dataset = labels.dataset
    ids = labels.labelled(dataset.split(config.infer_list))
    weights = label_source_path(config.deeplab_weights_name, labels.name)
    settings, is_trained = claim_training(config, dataset, "deeplab", ids, weights, labels)
    if is_trained:
        return
    samples = SegmentationSamples(
        ids=ids,
        read_image=dataset.image,
        read_label=labels.semantic,
        crop_size=config.deeplab_crop_size,
        remedy="make it again with --make_sem_seg_pass True",
    )
    compute = compute_of(config)
    torch.manual_seed(config.seed)
    model = deeplab_of(config, len(dataset.class_names))
    fill_backbone(model, "resnet50", config, name=config.deeplab_backbone)
    compute.place(model)
    backbone, new = model.trainable_parameters()
    rate, factor = config.deeplab_learning_rate, RATE_FACTORS[config.deeplab_optimizer]
    optimizer = make_optimizer(
        config.deeplab_optimizer,
        [{"params": backbone, "lr": rate}, {"params": new, "lr": factor * rate}],
        momentum=config.deeplab_momentum,
        weight_decay=config.deeplab_weight_decay,
    )
    schedule = Schedule(
        batch_size=config.deeplab_batch_size,
        steps=config.deeplab_steps,
        warmup_steps=config.deeplab_warmup_steps,
    )
    train(
        config,
        model,
        optimizer,
        samples,
        segmentation_loss,
        schedule,
        name=f"train_deeplab_{labels.name}",
        weights=weights,
        validate=partial(validation_iou, dataset=dataset, ids=val_ids, compute=compute)
        if val_ids
        else None,
        every=config.deeplab_eval_steps,
    )
    save_training(model, weights, settings)


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights that the backbone begins with; see `check_backbone`."""
    build, name = partial(deeplab_of, config, len(dataset.class_names)), config.deeplab_backbone
    check_backbone(build, "resnet50", config, dataset, coming, name=name)


def segmentation_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the cross entropy of a batch of `SegmentationSamples`."""
    crop, extent, label = batch
    return {"loss": label_loss(model(normalize_crop(crop, extent)), label, ignore=IGNORE)}


def validation_iou(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Compute the mIoU of a network during training: one scale, no CRF, nothing written."""

    def process(image_id: str, loaded: LoadedScales) -> np.ndarray:
        size, images = loaded
        label = probabilities(model, images, size, compute).argmax(dim=0).cpu().numpy()
        return confusion(label, dataset.semantic_label(image_id), len(dataset.class_names) + 1)

    counts = collect_images(
        ids,
        partial(load_scales, dataset, (1.0,)),
        process=process,
        num_workers=compute.num_workers,
        description="validate",
    )
    return {"val_mIoU": float(mean_iou(np.sum(counts, axis=0)))}
