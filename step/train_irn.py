"""Train IRNet: boundaries and displacements from relation labels (METHOD section 4)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from misc.affinity import LOSS_WEIGHTS, count_pairs
from misc.files.dataset import Dataset
from misc.files.labels import read_semantic_label
from misc.machine.device import Compute
from misc.run.log import logger
from misc.settings.config import Config
from misc.train.inference import measure_crops
from misc.train.samples import RelationSamples
from misc.train.training import Schedule, claim_training, make_optimizer, train
from net.build import begin_network, check_networks

# The displacement branch's learning rate over the boundary branch's. Under AdamW, which scales each
# step by itself, the deeper displacement branch needs the smaller one.
RATE_FACTORS = {"sgd": 10.0, "adamw": 0.1}
# Of the weights only the stored mean displacement depends on --infer_list: it is noted apart.
MEAN = "mean_displacement"

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Train on train_list's relation labels, set the mean displacement, write the weights."""
    ids, infer_ids = dataset.split(config.train_list), dataset.split(config.infer_list)
    num_classes = len(dataset.class_names)
    training = claim_training(config, dataset, "irn", ids)
    mean_of = dataset.identify(infer_ids)
    if training.is_finished and training.note(MEAN) == mean_of:
        return
    if training.is_finished:
        words = "%s: only the stored mean displacement is computed again, for --infer_list %s"
        logger.info(words, training.weights, config.infer_list)
    own = training.weights if training.is_finished else ""
    model = begin_network(config, "irn", num_classes, training.compute, weights=own)
    if not training.is_finished:
        samples = RelationSamples(
            ids=ids,
            read_image=dataset.image,
            read_label=partial(read_semantic_label, config.ir_label_out_dir),
            crop_size=config.irn_crop_size,
        )
        boundary, displacement = model.trainable_parameters()
        rate, factor = config.irn_learning_rate, RATE_FACTORS[config.irn_optimizer]
        optimizer = make_optimizer(
            config.irn_optimizer,
            [{"params": boundary, "lr": rate}, {"params": displacement, "lr": factor * rate}],
            momentum=config.irn_momentum,
            weight_decay=config.irn_weight_decay,
        )
        schedule = Schedule(
            batch_size=config.irn_batch_size,
            epochs=config.irn_num_epoches,
            warmup_steps=config.irn_warmup_steps,
        )
        train(
            training,
            model,
            optimizer,
            samples,
            relation_losses,
            schedule,
            counts=lambda batch: count_pairs(batch[1], radius=config.irn_radius),
            term_weights=LOSS_WEIGHTS,
        )
    set_mean(model, dataset, infer_ids, crop_size=config.irn_crop_size, compute=training.compute)
    training.save(model, {MEAN: mean_of})


def relation_losses(model: Any, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the four losses of a batch of `RelationSamples`."""
    images, label = batch
    losses: dict[str, torch.Tensor] = model(images, label)
    return losses


def set_mean(
    model: Any, dataset: Dataset, ids: Sequence[str], *, crop_size: int, compute: Compute
) -> None:
    """Store the mean displacement over images in a network, which is then in eval mode.

    It is the mean dy and dx, stride-4 pixels, over top left crops with their zero padding.
    """
    compute.place(model.eval()).mean_shift.running_mean.zero_()
    means = measure_crops(
        lambda image: model.displacement(model.features(image)).float().mean(dim=(2, 3)),
        dataset,
        ids,
        crop_size=crop_size,
        compute=compute,
        description="mean displacement",
    )
    model.mean_shift.running_mean.copy_(means.mean(dim=0))
