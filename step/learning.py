"""What the trainings of all stages share: where they go on, what they note, how they end."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from misc import ranks
from misc.checkpoints import checkpoint_path
from misc.config import Config
from misc.curves import TrainingCurve, curve_path
from misc.log import logger
from misc.provenance import Settings, claim_weights
from misc.training import Samples, Terms, train
from step.common import compute_of


def fill_batch(config: Config, flag: str, images: int) -> Config:
    """Let a run of --limit take the batch that its images fill, and say so.

    Args:
        config: the settings.
        flag: the batch size's.
        images: how many there are to learn from.

    Returns:
        the settings with the batch size that is really used, which is to shape the weights;
        without --limit they are as given, and the training refuses a batch that is not filled.
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
    """Claim a weights file for these settings; say so, and give True, where it is finished."""
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
    """Train as `misc.training.train` does, on from the checkpoint beside the weights.

    Args:
        config: device, arithmetic, seed, time between checkpoints.
        model: the network.
        optimizer: of its parameters.
        samples: what is trained on.
        losses: maps a collated batch to named scalar terms.
        weights: where they will be written, the training curves beside them.
        name: of the training.
        term_weights: of the terms in the total.
        options: the others of `train`.
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
