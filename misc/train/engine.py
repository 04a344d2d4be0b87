"""The parts of the training loop: a step, the means of its loss terms, the checkpoint."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from misc.train.samples import ImageSamples, load_batches, own_parts

Terms = dict[str, torch.Tensor]
Counts = tuple[torch.Tensor, torch.Tensor]  # those of a part, and their mean over all parts

STOPPED = "training stopped, the last checkpoint is intact; a lower learning rate may help"


@dataclass(frozen=True)
class Part:
    """The images of a step's batch that go through the network at once, with their labels."""

    batch: Any  # as it is loaded; for a step on the device, see `ImageSamples.normalized`
    number: int  # see `own_parts`
    has_images: bool  # else a placeholder, see `batch_keys`


def load_parts(
    samples: ImageSamples,
    batch_size: int,
    steps: range,
    *,
    seed: int,
    micro_batch: int,
    compute: Compute,
) -> Iterator[list[Part]]:
    """Yield this rank's parts of each step's batch, as they are loaded; see `load_batches`."""
    numbers = own_parts(batch_size, micro_batch)
    loaded = load_batches(
        samples,
        batch_size,
        steps,
        seed=seed,
        num_workers=compute.num_workers,
        micro_batch=micro_batch,
        pin_memory=compute.device.type == "cuda",
    )
    for _ in steps:
        yield [Part(next(loaded), number, number < batch_size) for number in numbers]


def take_step(
    losses: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: Sequence[Part],
    weights: Mapping[str, float],
    compute: Compute,
    *,
    seed: tuple[int, int],
    counts: Callable[[Any], torch.Tensor],
) -> Terms:
    """Take a step down the sum of the weighted loss terms, and return the terms.

    Args:
        losses: of `distributed_losses`.
        optimizer: of the network.
        parts: this rank's of the batch. Terms and gradients are their means.
        weights: of the terms; 1 where not named.
        compute: precision.
        seed: the training's, and the step.
        counts: see `train`.
    """
    known: Sequence[Counts | None] = [None] * len(parts)
    if len(parts) > 1:  # else the loss counts by itself
        own = torch.stack([part.has_images * counts(part.batch) for part in parts])
        known = [(each, ranks.mean(own.mean(dim=0))) for each in own]
    optimizer.zero_grad()
    means: Terms = {}
    for part, count in zip(parts, known, strict=True):
        seed_part(*seed, part.number)
        with compute.autocast():
            terms = losses(part.batch, part.has_images, count)
        loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
        (loss / len(parts)).backward()
        for name, term in terms.items():
            means[name] = means.get(name, 0) + term.detach().float() / len(parts)
    optimizer.step()
    return means


def seed_part(seed: int, step: int, part: int) -> None:
    """Make a part's random numbers depend on the seed, the step and its number alone."""
    (state,) = np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group to a factor of its first one."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("base_lr", group["lr"]) * factor


def distributed_losses(model: nn.Module, losses: Callable[[Any, Any], Terms]) -> nn.Module:
    """Return the losses of a part as a module, whose gradients the ranks average."""
    return ranks.distributed(_Losses(model, losses))


class _Losses(nn.Module):
    def __init__(self, model: nn.Module, losses: Callable[[Any, Any], Terms]) -> None:
        super().__init__()
        self.model, self.losses = model, losses

    def forward(self, batch: Any, has_images: bool, counts: Counts | None) -> Terms:
        """Compute the losses; without images they are 0, and so are their gradients."""

        def mean_count(values: torch.Tensor) -> torch.Tensor:
            if counts is None:
                return ranks.mean(has_images * values)
            own, mean = counts
            if has_images and values.tolist() != own.tolist():
                raise ValueError(
                    f"--micro_batch: the network divides its losses by {values.tolist()}, where "
                    f"its training counts {own.tolist()}; leave --micro_batch out"
                )
            return mean

        with ranks.counting(mean_count):
            terms = self.losses(self.model, batch)
        return terms if has_images else {name: 0.0 * term for name, term in terms.items()}


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
