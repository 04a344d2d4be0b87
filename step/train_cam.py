"""Train the classification network (METHOD section 1)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.metrics import ranking_precision
from misc.settings.config import Config
from misc.train.inference import measure_crops
from misc.train.samples import ClassificationSamples
from misc.train.training import RATE_FACTORS, Schedule, claim_training, make_optimizer, train
from net.build import begin_network, check_networks

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Train on train_list, validate on val_list after each epoch, write --cam_weights_name."""
    ids, val_ids = dataset.split(config.train_list), dataset.split(config.val_list)
    training = claim_training(config, dataset, "cam", ids)
    if training.is_finished:
        return
    samples = ClassificationSamples(
        ids=ids,
        labels=ranks.on_first(lambda: dataset.image_labels(ids)),
        read_image=dataset.image,
        crop_size=config.cam_crop_size,
        resize_long=config.cam_resize_long,
    )
    model = begin_network(config, "cam", len(dataset.class_names), training.compute)
    backbone, new = model.trainable_parameters()
    rate, factor = config.cam_learning_rate, RATE_FACTORS[config.cam_optimizer]
    optimizer = make_optimizer(
        config.cam_optimizer,
        [{"params": backbone, "lr": rate}, {"params": new, "lr": factor * rate}],
        momentum=config.cam_momentum,
        weight_decay=config.cam_weight_decay,
    )
    schedule = Schedule(
        batch_size=config.cam_batch_size,
        epochs=config.cam_num_epoches,
        warmup_steps=config.cam_warmup_steps,
    )
    val_labels = ranks.on_first(lambda: dataset.image_labels(val_ids))

    def validate(model: nn.Module) -> dict[str, float]:
        logits = measure_crops(
            model,
            dataset,
            val_ids,
            crop_size=config.cam_crop_size,
            compute=training.compute,
            description="validate",
        )
        return validation_measures(logits, torch.from_numpy(val_labels))

    train(training, model, optimizer, samples, classification_loss, schedule, validate=validate)
    training.save(model)


def classification_loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the multi-label soft margin loss of a batch of `ClassificationSamples`.

    Of a part of the batch it is scaled so that the parts' mean is the mean over all images.
    """
    images, label = batch
    logit = model(images).float()
    return {"loss": F.multilabel_soft_margin_loss(logit, label) * ranks.loss_weight(len(label))}


def validation_measures(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Compute the mean loss of images and the mAP of their classes, from float32 (N, C) each."""
    found = {"val_loss": float(F.multilabel_soft_margin_loss(logits, labels))}
    if labels.any():
        found["val_mAP"] = ranking_precision(logits.numpy(), labels.numpy() > 0)
    return found
