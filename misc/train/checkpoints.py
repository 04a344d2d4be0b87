"""The state of a training on disk: all that a rerun needs to resume as if never stopped.

A step's images, augmentation and random numbers follow from the seed and the step's number
(misc.train.batches and training), and so does the learning rate: the number is the position of
loader and schedule, whatever the number of ranks that resume.
"""

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from misc.machine import ranks
from misc.run.log import logger
from misc.run.provenance import checkpoint_path
from misc.train.weights import read_tensors, save_tensors, save_weights


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, schedule: Any
) -> None:
    """Write the state after `step` steps, atomically; `schedule` is stored as text."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "schedule": str(schedule),
    }
    save_tensors(state, path)


def resume(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    schedule: Any,
) -> int:
    """Load a checkpoint if there is one, and return its number of steps.

    Raises:
        ValueError: the file is broken, or of another network, optimiser or schedule.
    """
    found = ranks.gather([path.is_file()])
    if not all(found):
        if any(found):
            raise ValueError(f"{path}: only some processes find it: they must share their folders")
        return 0
    state = read_tensors(path, device=device)
    try:
        found, step = state["schedule"], int(state["step"])
        if found != str(schedule):
            raise ValueError(f"it was made with {found}, now it is {schedule}")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: not a checkpoint of this training ({reason}); delete it to start over"
        ) from error
    logger.info("resuming from %s at step %d", path, step)
    return step


def finish(model: nn.Module, weights: Path) -> None:
    """Write the weights of a finished training and delete its checkpoint, on the first rank."""

    def write() -> None:
        save_weights(model, weights)
        checkpoint_path(weights).unlink(missing_ok=True)

    ranks.on_first(write)


class Interval:
    """A timer that is over after a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.last = time.monotonic()

    def is_over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() - self.last >= self.seconds

    def restart(self) -> None:
        """Restart the timer."""
        self.last = time.monotonic()
