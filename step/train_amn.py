"""Train AMN on the relation labels of an earlier run (METHOD section 2)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from misc.amn import LOSS_WEIGHTS, amn_losses, count_pixels
from misc.files.dataset import Dataset
from misc.files.labels import read_semantic_label
from misc.machine import ranks
from misc.settings.config import Config
from misc.train.samples import AMNSamples
from misc.train.training import Schedule, claim_training, train
from net.build import begin_network, check_networks

RATE_FACTOR = 20.0  # of the new layers' learning rate
WEIGHT_DECAY = 1e-4

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Train on train_list's relation labels in --amn_label_dir; write --amn_weights_name."""
    ids = dataset.split(config.train_list)
    training = claim_training(config, dataset, "amn", ids)
    if training.is_finished:
        return
    samples = AMNSamples(
        ids=ids,
        labels=ranks.on_first(lambda: dataset.image_labels(ids)),
        read_image=dataset.image,
        read_label=partial(read_semantic_label, config.amn_label_dir),
        crop_size=config.cam_crop_size,
    )
    model = begin_network(config, "amn", len(dataset.class_names), training.compute)
    pretrained, new = model.trainable_parameters()
    rate = config.amn_learning_rate
    optimizer = torch.optim.Adam(
        [{"params": pretrained, "lr": rate}, {"params": new, "lr": RATE_FACTOR * rate}],
        weight_decay=WEIGHT_DECAY,
    )
    # Without drops the learning rate is constant.
    schedule = Schedule(batch_size=config.cam_batch_size, epochs=config.amn_num_epoches, drops=())
    train(
        training,
        model,
        optimizer,
        samples,
        losses,
        schedule,
        counts=lambda batch: count_pixels(batch[1]),
        term_weights=LOSS_WEIGHTS,
    )
    training.save(model)


def losses(model: Any, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the losses of a batch of `AMNSamples`."""
    images, relation_label, label = batch
    logit = model(images, label)
    return amn_losses(logit, relation_label, reduce_counts=ranks.mean_count)
