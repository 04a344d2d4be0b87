"""What the trainings of all stages share: claiming the weights, resuming, curves, writing them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import torch

from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.machine.device import compute_of
from misc.run.ground_truth import images_with_ground_truth
from misc.run.log import logger
from misc.run.provenance import checkpoint_path, claim_weights, confirm_weights
from misc.run.records import Settings
from misc.run.shaped import shaped_by
from misc.run.stage import supervised_path, unfilled
from misc.settings.config import Config
from misc.settings.flags import resolved
from misc.settings.metadata import FIELD, describe
from misc.train.checkpoints import finish
from misc.train.curves import TrainingCurve, curve_path
from misc.train.seen import training_images
from misc.train.supervision import (
    KINDS,
    Supervision,
    images_to_learn_from,
    note_split,
    supervised_by,
    supervisions,
)
from misc.train.training import Samples, Schedule, Terms, make_optimizer, train

# New layers have a larger learning rate under SGD; AdamW scales each step by itself.
RATE_FACTORS = {"sgd": 10.0, "adamw": 1.0}
VALIDATED_IMAGES = 200  # enough for a curve; the evaluations measure on all


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What every training has: --cam_batch_size, --irn_batch_size and so on.

    Its length is given in epochs or in steps; what it is not given in is 0.
    """

    num_epoches: int
    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    momentum: float
    optimizer: str
    warmup_steps: int


def training_settings(config: Config, network: str) -> TrainingSettings:
    """Return the settings of a network's training."""
    names = [field.name for field in fields(TrainingSettings)]
    return TrainingSettings(**{name: vars(config).get(f"{network}_{name}", 0) for name in names})


def train_network(
    config: Config,
    dataset: Dataset,
    network: str,
    ids: Sequence[str],
    *,
    weights: Path,
    build: Callable[[], Any],
    samples: Callable[[], Samples],
    losses: Callable[[Any, Any], Terms],
    validate: Callable[[Any], Mapping[str, float]] | None = None,
    parameters: Callable[[Any], Any] = methodcaller("trainable_parameters"),
    factors: Mapping[str, float] = RATE_FACTORS,
    term_weights: Mapping[str, float] | None = None,
    complete: Callable[[Any], None] | None = None,
    supervision: str = "",
    drops: tuple[int, ...] | None = None,
    **options: Any,
) -> bool:
    """Train a network with the settings of its group and write its weights.

    A training that was stopped resumes from the checkpoint beside the weights, where its curves
    are, too. Only where there is something to train are the samples read and the network built.

    Args:
        config: the settings.
        dataset: the data set.
        network: `cam`, `irn`, `mask_rcnn` or `deeplab`, as in the names of its flags and stage.
        ids: the training images.
        weights: path of the weights to write.
        build: builds the network with its initial weights.
        samples: makes the training set.
        losses: maps the network and a collated batch to named scalar terms.
        validate: maps the network to measures.
        parameters: maps the network to its two groups of parameters.
        factors: for each optimiser, the factor of the second group's learning rate.
        term_weights: of the terms in the total loss.
        complete: called with the trained network before its weights are written.
        supervision: name of the labels that it is trained on, where there are several.
        drops: of the learning rate; see `Schedule`.
        options: the other arguments of `train`.

    Returns:
        whether it was trained: False where it already was, with these settings.
    """
    if error := unfilled(config, f"{network}_batch_size", len(ids)):
        raise error
    settings = training_settings(config, network)
    shaping = _shaping(config, dataset, network, ids, supervision)
    notes = {FIELD: _metadata(config, dataset, network), **training_images(dataset, ids)}
    if claim_weights(weights, shaping, notes=notes, overwrite=config.overwrite):
        logger.info("%s is already trained with these settings", weights)
        return False
    training_set, compute = samples(), compute_of(config)
    torch.manual_seed(config.seed)
    model = compute.place(build())
    optimizer = make_optimizer(
        settings.optimizer,
        parameters(model),
        rate=settings.learning_rate,
        factors=factors,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    name = "_".join(filter(None, ("train", network, supervision)))
    checkpoint = checkpoint_path(weights)
    board = Path(config.tensorboard_dir) / name
    curve = TrainingCurve(
        curve_path(weights),
        resumed=checkpoint.is_file() or not ranks.is_first(),
        tensorboard=board if config.tensorboard and ranks.is_first() else None,
    )
    train(
        model,
        optimizer,
        training_set,
        partial(losses, model),
        schedule=Schedule(
            epochs=settings.num_epoches,
            steps=settings.steps,
            batch_size=filled_batch(network, settings.batch_size, len(training_set)),
            warmup_steps=settings.warmup_steps,
            drops=drops,
        ),
        validate=None if validate is None else partial(validate, model),
        weights=term_weights,
        note=curve.add,
        checkpoint=checkpoint,
        checkpoint_seconds=config.checkpoint_every,
        compute=compute,
        seed=config.seed,
        description=name,
        **options,
    )
    ranks.on_first(partial(confirm_weights, weights, shaping))
    if complete is not None:
        complete(model)
    finish(model, weights)
    return True


def train_on_labels(
    config: Config,
    dataset: Dataset,
    network: str,
    *,
    weights_name: str,
    build: Callable[[int], Any],
    samples: Callable[[Supervision, Sequence[str]], Samples],
    validate: Callable[..., Mapping[str, float]],
    **options: Any,
) -> None:
    """Train a network on infer_list's labels of each --supervision; see `train_network`.

    Args:
        config: the settings.
        dataset: the data set.
        network: `mask_rcnn` or `deeplab`.
        weights_name: its --NETWORK_weights_name.
        build: builds the network for a number of foreground classes.
        samples: makes the training set of a supervision's images.
        validate: measures the network, of a data set, on images of its val_list.
        options: the other arguments of `train_network`.
    """
    kind = KINDS[network]
    val_ids = images_with_ground_truth(
        dataset,
        dataset.split(config.val_list),
        (kind,),
        stage=f"train_{network}",
        source=f"--val_list {config.val_list}",
        use="validated on",
    )[:VALIDATED_IMAGES]
    compute = compute_of(config)
    for supervision in supervisions(config, dataset):
        ids = supervision.labelled(dataset.split(config.infer_list), kind)
        train_network(
            config,
            dataset,
            network,
            ids,
            weights=supervised_path(weights_name, supervision.name),
            build=partial(build, len(dataset.class_names)),
            samples=partial(_training_set, config, network, supervision, ids, samples),
            validate=partial(validate, dataset=dataset, ids=val_ids, compute=compute)
            if val_ids
            else None,
            supervision=supervision.name,
            **options,
        )


def filled_batch(network: str, asked: int, images: int) -> int:
    """Return the batch size in use: the one asked for, or the images where they are fewer.

    They are fewer with --limit, and where labels have instances in few images: that shows only
    after the stages which made the labels, too late to ask for another value.
    """
    if images < asked:
        told = "--%s_batch_size %d cannot be filled by %d images, taking %d"
        logger.info(told, network, asked, images, images)
    return min(asked, images)


def _shaping(
    config: Config, dataset: Dataset, network: str, ids: Sequence[str], supervision: str
) -> Settings:
    """Return the settings that shape a network's weights."""
    more: list[str] = []
    if supervision:
        more += supervised_by(supervision, KINDS[network])
    if network != "cam" and config.pretrained == "none":
        more.append("cam_weights_name")  # the backbone is the classification network's
    extra = {"supervision": supervision} if supervision else None
    truth = KINDS[network] if supervision == "full" else ""
    stage = f"train_{network}"
    return shaped_by(config, dataset, stage, *more, ids=ids, truth=truth, extra=extra)


def _metadata(config: Config, dataset: Dataset, network: str) -> dict[str, Any]:
    return describe(
        network,
        resolved(config),
        dataset=dataset.name,
        class_names=dataset.class_names,
        category_ids=dataset.category_ids(),
        palette=dataset.palette.tobytes(),
    )


def _training_set(
    config: Config,
    network: str,
    supervision: Supervision,
    ids: list[str],
    samples: Callable[[Supervision, Sequence[str]], Samples],
) -> Samples:
    note_split(config, network)
    ids = images_to_learn_from(config, supervision, ids, kind=KINDS[network])
    return samples(supervision, ids)
