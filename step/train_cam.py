"""Train the classification network (METHOD section 1)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from misc.imutils import normalize_crop
from misc.learning.checkpoints import finish
from misc.learning.networks import WEIGHTS_BYTES, network_module, pretrained_need
from misc.learning.pretrained import load_pretrained
from misc.learning.samples import ClassificationSamples, top_left_crop
from misc.learning.stages import fill_batch, is_trained, learn
from misc.learning.training import Schedule, make_optimizer
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.running.dataset import Dataset
from misc.running.open_dataset import label_rows, open_dataset
from misc.running.plan import Plan
from misc.running.shaped import shaped_by
from misc.running.workers import collect_images
from misc.settings.config import Config

# The new classifier has a larger learning rate under SGD; AdamW scales each step by itself.
RATE_FACTORS = {"sgd": 10.0, "adamw": 1.0}
SHAPED_BY = (
    "seed",
    "precision",
    "pretrained",
    "train_list",
    "cam_network",
    "cam_crop_size",
    "cam_resize_long",
    "cam_batch_size",
    "cam_num_epoches",
    "cam_learning_rate",
    "cam_weight_decay",
    "cam_momentum",
    "cam_optimizer",
    "cam_warmup_steps",
)


def run(config: Config) -> None:
    """Train on train_list, validate on val_list after each epoch, write --cam_weights_name."""
    dataset = open_dataset(config)
    ids, val_ids = dataset.split(config.train_list), dataset.split(config.val_list)
    weights = Path(config.cam_weights_name)
    config = fill_batch(config, "cam_batch_size", len(ids))
    settings = shaped_by(config, dataset, "train_cam", *SHAPED_BY, ids=ids)
    if is_trained(config, weights, settings):
        return

    compute = compute_of(config)
    torch.manual_seed(config.seed)
    model = compute.place(build_network(config, len(dataset.class_names)))
    samples = ClassificationSamples(
        ids=ids,
        labels=label_rows(dataset, ids),
        read_image=dataset.image,
        crop_size=config.cam_crop_size,
        resize_long=config.cam_resize_long,
    )
    learn(
        config,
        model,
        make_optimizer(
            config.cam_optimizer,
            model.trainable_parameters(),
            rate=config.cam_learning_rate,
            factors=RATE_FACTORS,
            momentum=config.cam_momentum,
            weight_decay=config.cam_weight_decay,
        ),
        samples,
        partial(classification_loss, model),
        schedule=Schedule(
            epochs=config.cam_num_epoches,
            batch_size=config.cam_batch_size,
            warmup_steps=config.cam_warmup_steps,
        ),
        validate=partial(
            validation_loss,
            model,
            dataset,
            val_ids,
            crop_size=config.cam_crop_size,
            compute=compute,
        ),
        weights=weights,
        name="train_cam",
    )
    finish(model, weights)


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    ids = [*dataset.split(config.train_list), *dataset.split(config.val_list)]
    return Plan(
        images=ids,
        labelled=ids,
        needs=pretrained_need(config.pretrained),
        writes=[Path(config.cam_weights_name)],
        bytes_each=WEIGHTS_BYTES,
    )


def build_network(config: Config, num_classes: int) -> Any:
    """Build the classification network with its initial weights: ImageNet's, a file's or random."""
    from_scratch = config.pretrained == "none"
    module = network_module(config.cam_network, "cam_network", "Net")
    model = module.Net(num_classes, train_whole=from_scratch)
    if not from_scratch:
        load_pretrained(model.resnet50, config.pretrained)
    return model


def classification_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the multi-label soft margin loss of a batch of `ClassificationSamples`.

    With several ranks it is scaled so that the ranks' mean is the mean over all images.
    """
    crop, extent, label = batch
    logit = model(normalize_crop(crop, extent)).float()
    return {"loss": F.multilabel_soft_margin_loss(logit, label) * ranks.part(len(label))}


def validation_loss(
    model: nn.Module,
    dataset: Dataset,
    ids: Sequence[str],
    *,
    crop_size: int,
    compute: Compute,
) -> dict[str, float]:
    """Compute the mean loss and the label accuracy over all images of a list."""
    labels = dict(zip(ids, torch.from_numpy(label_rows(dataset, ids)), strict=True))

    def measure(image_id: str, loaded: Sequence[torch.Tensor]) -> torch.Tensor:
        with torch.no_grad(), compute.autocast():
            image = normalize_crop(*compute.put(loaded))
            logit = model(image[None])[0].float().cpu()
        label = labels[image_id]
        loss = F.multilabel_soft_margin_loss(logit[None], label[None])
        return torch.stack([loss, ((logit > 0) == (label > 0)).float().mean()])

    results = collect_images(
        ids,
        partial(_load_crop, dataset, crop_size),
        process=measure,
        num_workers=compute.num_workers,
        device=compute.device,
        description="validate",
    )
    loss, right = torch.stack(results).mean(dim=0)
    return {"val_loss": float(loss), "val_accuracy": float(right)}


def _load_crop(
    dataset: Dataset, crop_size: int, image_id: str
) -> tuple[torch.Tensor, torch.Tensor]:
    return top_left_crop(dataset.image(image_id), crop_size)
