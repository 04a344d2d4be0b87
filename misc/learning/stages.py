"""What the trainings of all stages share: resuming, curves, writing the weights."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from misc.learning.checkpoints import checkpoint_path
from misc.learning.curves import TrainingCurve, curve_path
from misc.learning.training import Samples, Terms, train
from misc.machine import ranks
from misc.machine.device import compute_of
from misc.running.log import logger
from misc.running.provenance import Settings, claim_weights
from misc.settings.config import Config


def fill_batch(config: Config, flag: str, images: int) -> Config:
    """Reduce the batch size of a run with --limit to its images, and log it.

    Args:
        config: the settings.
        flag: that of the batch size.
        images: number of training images.

    Returns:
        the settings with the batch size in use, which shapes the weights; without --limit they
        are unchanged, and the training rejects a batch that is not filled.
    """
    asked = getattr(config, flag)
    if config.limit is None or not 0 < images < asked:
        return config
    logger.info(
        "--limit %d: --%s %d cannot be filled by %d images, taking %d",
        *(config.limit, flag, asked, images, images),
    )
    used: dict[str, Any] = {flag: images}
    return replace(config, **used)


def is_trained(config: Config, weights: Path, settings: Settings) -> bool:
    """Claim a weights file for these settings; log it and return True where it is finished."""
    finished = claim_weights(weights, settings, overwrite=config.overwrite)
    if finished:
        logger.info("%s is already trained with these settings", weights)
    return finished


def learn(
    config: Config,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: Samples,
    losses: Callable[[Any], Terms],
    *,
    weights: Path,
    name: str,
    term_weights: Mapping[str, float] | None = None,
    **options: Any,
) -> None:
    """Train with `misc.learning.training.train`, resuming from the checkpoint beside the weights.

    Args:
        config: device, precision, seed, time between checkpoints.
        model: the network.
        optimizer: of its parameters.
        samples: the training set.
        losses: maps a collated batch to named scalar terms.
        weights: path of the weights to write, with the training curves beside them.
        name: of the training.
        term_weights: of the terms in the total loss.
        options: the other arguments of `train`.
    """
    checkpoint = checkpoint_path(weights)
    curve = TrainingCurve(
        curve_path(weights),
        resumed=checkpoint.is_file() or not ranks.is_first(),
        tensorboard=Path(config.tensorboard_dir) / name if config.tensorboard else None,
    )
    train(
        model,
        optimizer,
        samples,
        losses,
        weights=term_weights,
        note=curve.add,
        checkpoint=checkpoint,
        checkpoint_seconds=config.checkpoint_every,
        compute=compute_of(config),
        seed=config.seed,
        description=name,
        **options,
    )
