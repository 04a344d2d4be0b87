"""Train Mask R-CNN on instance labels (METHOD section 9)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from misc.evaluate.evaluation import instance_truth, match_found, precision_measures
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.machine.device import Compute
from misc.settings.config import Config
from misc.train.inference import detect_images
from misc.train.samples import DetectionSamples
from misc.train.supervision import supervision_from, validation_images
from misc.train.training import Schedule, claim_training, make_optimizer, train
from net.build import begin_network, check_networks

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Train a network on infer_list's labels of each --supervision; write its weights."""
    val_ids = validation_images(config, dataset, stage="train_mask_rcnn")
    for name in config.supervision:
        labels = supervision_from(config, dataset, name, "instance")
        ids = labels.labelled(dataset.split(config.infer_list))
        training = claim_training(config, dataset, "mask_rcnn", ids, labels)
        if training.is_finished:
            continue
        samples = DetectionSamples(
            ids=labels.with_instances(ids, num_workers=config.num_workers),
            read_image=dataset.image,
            read_instances=labels.instances,
        )
        model = begin_network(config, "mask_rcnn", len(dataset.class_names), training.compute)
        optimizer = make_optimizer(
            config.mask_rcnn_optimizer,
            [{"params": model.trainable_parameters(), "lr": config.mask_rcnn_learning_rate}],
            momentum=config.mask_rcnn_momentum,
            weight_decay=config.mask_rcnn_weight_decay,
        )
        schedule = Schedule(
            batch_size=config.mask_rcnn_batch_size,
            steps=config.mask_rcnn_steps,
            warmup_steps=config.mask_rcnn_warmup_steps,
            drops=config.mask_rcnn_drops,
        )
        validate = partial(
            validation_precision, dataset=dataset, ids=val_ids, compute=training.compute
        )
        train(
            training,
            model,
            optimizer,
            samples,
            detection_losses,
            schedule,
            validate=validate if val_ids else None,
            every=config.mask_rcnn_eval_steps,
        )
        training.save(model)


def detection_losses(model: nn.Module, batch: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Compute the five losses of the region proposals, the boxes and the masks of a batch.

    Each is torchvision's mean over what it samples from the batch. Of a part of the batch it is the
    mean over the part's samples, weighted by its share of the images; the parts' mean is the loss.
    """
    images, targets = batch
    weight = ranks.loss_weight(len(images))
    losses = model(images, targets)
    return {name.removeprefix("loss_"): weight * loss for name, loss in losses.items()}


def validation_precision(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Compute VOC's AP of a network during training, without writing anything."""

    def match(image_id: str, found: Mapping[str, np.ndarray]) -> Any:
        return match_found(found, instance_truth(dataset, image_id))

    records = detect_images(model, dataset, ids, use=match, compute=compute, description="validate")
    return ranks.on_first(lambda: precision_measures(records, len(dataset.class_names)))
