"""Train DeepLab-v2 on semantic labels (METHOD section 9)."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from misc.imutils import IGNORE, normalize_crop
from misc.learning.checkpoints import finish
from misc.learning.networks import load_backbone
from misc.learning.samples import SegmentationSamples
from misc.learning.stages import fill_batch, is_trained, learn
from misc.learning.supervision import (
    VALIDATED_IMAGES,
    Supervision,
    note_split,
    supervised_by,
    supervised_path,
    supervisions,
    training_plan,
    val_truths,
)
from misc.learning.training import Schedule, make_optimizer
from misc.learning.validation import validation_iou
from misc.machine.device import compute_of
from misc.running.dataset import Dataset
from misc.running.open_dataset import open_dataset
from misc.running.plan import Plan
from misc.running.shaped import shaped_by
from misc.running.truths import require_truth
from misc.settings.config import Config
from net.deeplab import DeepLab, label_loss

# The new classifiers have a larger learning rate under SGD; AdamW scales each step by itself.
RATE_FACTORS = {"sgd": 10.0, "adamw": 1.0}
SHAPED_BY = (
    "seed",
    "precision",
    "pretrained",
    "infer_list",
    "deeplab_steps",
    "deeplab_batch_size",
    "deeplab_crop_size",
    "deeplab_learning_rate",
    "deeplab_weight_decay",
    "deeplab_momentum",
    "deeplab_optimizer",
    "deeplab_warmup_steps",
)


def run(config: Config) -> None:
    """Train a network for each --supervision; write its weights."""
    dataset = open_dataset(config)
    val_ids = dataset.split(config.val_list)
    require_truth(dataset, val_truths(config, val_ids, "semantic"), "train_deeplab")
    for supervision in supervisions(config, dataset):
        train_one(config, dataset, supervision)


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    return training_plan(config, dataset, config.deeplab_weights_name, semantic=True)


def train_one(config: Config, dataset: Dataset, supervision: Supervision) -> None:
    """Train on infer_list's semantic labels of one supervision."""
    ids = supervision.labelled(dataset.split(config.infer_list), "semantic")
    val_ids = dataset.split(config.val_list)
    weights = supervised_path(config.deeplab_weights_name, supervision.name)
    config = fill_batch(config, "deeplab_batch_size", len(ids))
    names = (*SHAPED_BY, *supervised_by(config, supervision.name, "sem_seg_out_dir"))
    kind = {"supervision": supervision.name}
    settings = shaped_by(config, dataset, "train_deeplab", *names, ids=ids, extra=kind)
    if is_trained(config, weights, settings):
        return
    note_split(config, "DeepLab")
    compute = compute_of(config)
    torch.manual_seed(config.seed)
    model = DeepLab(len(dataset.class_names) + 1)
    load_backbone(model.resnet50, config)
    model = compute.place(model)
    learn(
        config,
        model,
        make_optimizer(
            config.deeplab_optimizer,
            model.trainable_parameters(),
            rate=config.deeplab_learning_rate,
            factors=RATE_FACTORS,
            momentum=config.deeplab_momentum,
            weight_decay=config.deeplab_weight_decay,
        ),
        SegmentationSamples(
            ids=ids,
            read_image=dataset.image,
            read_label=supervision.semantic,
            crop_size=config.deeplab_crop_size,
            remedy="make it again with --make_sem_seg_pass True",
        ),
        partial(segmentation_loss, model),
        schedule=Schedule(
            steps=config.deeplab_steps,
            batch_size=config.deeplab_batch_size,
            warmup_steps=config.deeplab_warmup_steps,
        ),
        validate=partial(
            validation_iou, model, dataset, val_ids[:VALIDATED_IMAGES], compute=compute
        ),
        every=config.deeplab_eval_steps,
        weights=weights,
        name=f"train_deeplab_{supervision.name}",
    )
    finish(model, weights)


def segmentation_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the cross entropy of a batch of `SegmentationSamples`."""
    crop, extent, label = batch
    return {"loss": label_loss(model(normalize_crop(crop, extent)), label, ignore=IGNORE)}
