"""Train ReCAM's second classifier, from the trained classification network (METHOD section 2)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.recam import recam_loss
from misc.settings.config import Config
from misc.train.samples import ClassificationSamples
from misc.train.training import RATE_FACTORS, Schedule, claim_training, make_optimizer, train
from net.build import begin_network, check_networks

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Train on train_list, from --cam_weights_name; write --recam_weights_name."""
    ids = dataset.split(config.train_list)
    training = claim_training(config, dataset, "recam", ids)
    if training.is_finished:
        return
    samples = ClassificationSamples(
        ids=ids,
        labels=ranks.on_first(lambda: dataset.image_labels(ids)),
        read_image=dataset.image,
        crop_size=config.cam_crop_size,
        resize_long=config.cam_resize_long,
    )
    model = begin_network(config, "recam", len(dataset.class_names), training.compute)
    rate, factor = config.recam_learning_rate, RATE_FACTORS[config.cam_optimizer]
    known = [parameter for group in model.net.trainable_parameters() for parameter in group]
    optimizer = make_optimizer(
        config.cam_optimizer,
        [
            {"params": known, "lr": rate},
            {"params": list(model.matrix.parameters()), "lr": factor * rate},
        ],
        momentum=config.cam_momentum,
        weight_decay=config.cam_weight_decay,
    )
    schedule = Schedule(batch_size=config.cam_batch_size, epochs=config.recam_num_epoches)
    train(training, model, optimizer, samples, recam_losses, schedule)
    training.save(model)


def recam_losses(model: Any, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the losses of both classifiers on a batch of `ClassificationSamples`.

    Of a part of the batch they are scaled so that the parts' mean is the mean over all images.
    """
    images, label = batch
    features, classifier = model.net.features(images), model.net.classifier
    logit = classifier(features.mean(dim=(2, 3), keepdim=True)).flatten(1).float()
    share = ranks.loss_weight(len(label))
    return {
        "loss": F.multilabel_soft_margin_loss(logit, label) * share,
        "recam": recam_loss(features, classifier.weight, model.matrix.weight, label) * share,
    }
