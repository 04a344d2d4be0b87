"""The parts of the training loop: a step, the means of its loss terms, the checkpoint."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from misc.files.weights import read_tensors, save_tensors
from misc.machine import ranks
from misc.machine.device import Compute
from misc.run.log import logger

Terms = dict[str, torch.Tensor]

STOPPED = "training stopped, the last checkpoint is intact; a lower learning rate may help"


def take_step(
    losses: Callable[[Any], Terms],
    optimizer: torch.optim.Optimizer,
    batch: Any,
    weights: Mapping[str, float],
    compute: Compute,
) -> Terms:
    """Take a step down the sum of the weighted loss terms of a batch, and return the terms."""
    with compute.autocast():
        terms = losses(compute.put(batch))
    loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return terms


def seed_step(seed: int, step: int) -> None:
    """Make a step's random numbers depend on the seed, the step and the rank alone."""
    (state,) = np.random.SeedSequence([seed, step, ranks.rank()]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group to a factor of its first one."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("base_lr", group["lr"]) * factor


def distributed_losses(
    model: nn.Module, losses: Callable[[Any, Any], Terms], batch_size: int
) -> nn.Module:
    """Return the losses as a module of a batch, whose gradients the ranks average.

    Without images of its own (see `batch_keys`) a rank's losses are 0, and so are its gradients.
    """
    has_images = len(ranks.share(range(batch_size))) > 0
    return ranks.distributed(_Losses(model, losses, has_images=has_images))


class _Losses(nn.Module):
    def __init__(
        self, model: nn.Module, losses: Callable[[Any, Any], Terms], *, has_images: bool
    ) -> None:
        super().__init__()
        self.model, self.losses, self.has_images = model, losses, has_images

    def forward(self, batch: Any) -> Terms:
        with ranks.counting(self.has_images):
            terms = self.losses(self.model, batch)
        return terms if self.has_images else {name: 0.0 * term for name, term in terms.items()}


class Meter:
    """Sums of the loss terms since the last report, kept on the device: reading one synchronises.

    They are the ranks' means, equal on all ranks.
    """

    def __init__(self) -> None:
        self.sums: Terms = {}
        self.count = 0

    def add(self, terms: Terms) -> None:
        """Add the terms of a step, this rank's."""
        means = ranks.mean(torch.stack([term.detach().float() for term in terms.values()]))
        for name, mean in zip(terms, means, strict=True):
            self.sums[name] = self.sums[name] + mean if self.count else mean
        self.count += 1

    def means(self, step: int) -> dict[str, float]:
        """Return the means since the last call; raises as `check`."""
        self.check(step)
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means

    def check(self, step: int) -> None:
        """Raise ValueError, naming it, if a term was not finite since the last means."""
        for name, total in self.sums.items():
            if not math.isfinite(total):
                raise ValueError(f"the loss {name} is {float(total)} at step {step}: {STOPPED}")


@dataclass(frozen=True)
class Checkpoint:
    """A file of all that a rerun needs to resume as if never stopped."""

    path: Path
    model: nn.Module
    optimizer: torch.optim.Optimizer
    meter: Meter
    schedule: str

    def save(self, step: int) -> None:
        """Write the state after `step` steps; ValueError where a loss or gradient is not finite."""
        self.meter.check(step)
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                raise ValueError(f"the gradient of {name} is not finite at step {step}: {STOPPED}")
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "meter": vars(self.meter),
            "step": step,
            "schedule": self.schedule,
        }
        save_tensors(state, self.path)

    def resume(self) -> int:
        """Load the file, if it is there, and return its number of steps, else 0."""
        found = ranks.gather([self.path.is_file()])
        if not any(found):
            return 0
        if not all(found):
            raise ValueError(
                f"{self.path}: only some processes find it: they must share their folders"
            )
        state = read_tensors(self.path, device=next(self.model.parameters()).device)
        try:
            if state["schedule"] != self.schedule:
                raise ValueError(f"it was made with {state['schedule']}, now it is {self.schedule}")
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            vars(self.meter).update(state["meter"])
            step = int(state["step"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(
                f"{self.path}: not a checkpoint of this training ({reason}); delete it to start "
                "over"
            ) from error
        logger.info("resuming from %s at step %d", self.path, step)
        return step
