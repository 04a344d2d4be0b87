"""The training loop: named loss terms, a polynomial schedule, checkpoints, resume."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import default_collate

from misc.machine import ranks
from misc.machine.device import Compute, memory_for
from misc.machine.distributed import distributed
from misc.run.log import logger
from misc.run.progress import bar
from misc.train.batches import Samples, batch_keys, loader, watched
from misc.train.checkpoints import Interval, resume, save_checkpoint

Terms = dict[str, torch.Tensor]

SMALLER = "pass a smaller batch or crop size, or another --device; the last checkpoint is intact"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The length, batch size and learning rate of a training.

    Attributes:
        batch_size: batch size, of all ranks together.
        epochs: epochs over the images; each drops its last, partial batch.
        steps: T, where the length is given in steps; `epochs` is ignored then.
        warmup_steps: steps over which the learning rate rises.
        power: of the polynomial learning rate decay.
        drops: steps after which the learning rate is divided by ten, instead of the polynomial;
            an empty tuple keeps it constant. None: the polynomial.
    """

    batch_size: int
    epochs: int = 0
    steps: int = 0
    warmup_steps: int = 0
    power: float = 0.9
    drops: tuple[int, ...] | None = None

    def total_steps(self, images: int) -> int:
        """Return T; 0 where the images do not fill a batch."""
        steps_an_epoch = images // self.batch_size
        return (self.steps if steps_an_epoch else 0) or steps_an_epoch * self.epochs

    def rate(self, step: int, total: int) -> float:
        """Return the factor of the learning rate before step t = 0, 1, …: (1 - t/T)^power."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.drops is not None:
            return float(warmup * 0.1 ** sum(step >= drop for drop in self.drops))
        return float(warmup * (1 - step / total) ** self.power)


def make_optimizer(
    name: str,
    groups: tuple[Sequence[nn.Parameter], Sequence[nn.Parameter]],
    *,
    rate: float,
    factors: Mapping[str, float],
    momentum: float,
    weight_decay: float,
) -> torch.optim.Optimizer:
    """Build the optimiser: `sgd` (METHOD section 1) or `adamw` (for training from scratch).

    Args:
        name: of the optimiser.
        groups: two groups of parameters; `rate` is the first group's learning rate.
        rate: learning rate at the schedule's peak.
        factors: for each optimiser, the factor of the second group's learning rate.
        momentum: SGD momentum.
        weight_decay: weight decay of both.
    """
    first, second = groups
    rated = [{"params": first, "lr": rate}, {"params": second, "lr": factors[name] * rate}]
    if name == "adamw":
        # Fused is several times faster; not all versions of torch have it on mps.
        fused = all(parameter.device.type != "mps" for parameter in [*first, *second])
        return torch.optim.AdamW(rated, weight_decay=weight_decay, fused=fused)
    return torch.optim.SGD(rated, momentum=momentum, weight_decay=weight_decay)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: Samples,
    losses: Callable[[Any], Terms],
    *,
    schedule: Schedule,
    weights: Mapping[str, float] | None = None,
    validate: Callable[[], Mapping[str, float]] | None = None,
    note: Callable[[int, Mapping[str, float]], None] | None = None,
    every: int | None = None,
    collate: Callable[[list[Any]], Any] = default_collate,
    checkpoint: Path,
    checkpoint_seconds: float = 60,
    compute: Compute,
    seed: int = 0,
    report_every: int = 50,
    description: str = "",
) -> None:
    """Train `model` in place, from its checkpoint if there is one.

    Batches, crops and the order of images depend on the seed and the step alone, so that a
    resumed run takes exactly the steps of an uninterrupted one.

    Args:
        model: the network, on `device`.
        optimizer: its groups' `lr` are the learning rates at the schedule's peak.
        samples: the training set.
        losses: maps a collated batch to named scalar terms; with several ranks to this one's
            part of them: their mean over the ranks is that of the whole batch.
        schedule: epochs, batch size and learning rate.
        weights: of the terms in the total loss; 1 where not named.
        validate: called in eval mode; its measures are logged.
        note: called with the steps done and what is logged then: mean terms, measures.
        every: steps between validations, each followed by a checkpoint; by default an epoch.
        collate: makes a batch of a list of samples.
        checkpoint: file of the state; removed by the caller when all is saved.
        checkpoint_seconds: longest time between checkpoints; the steps do not depend on it.
        compute: device, precision and loader processes.
        seed: random seed of order and augmentation.
        report_every: steps between two log lines.
        description: of the progress bar.

    Raises:
        ValueError: a loss term is not finite (named), or the batch size exceeds the images.
    """
    total = _steps_to_take(schedule, len(samples))
    start = resume(checkpoint, model, optimizer, compute.device, schedule)
    every = every or len(samples) // schedule.batch_size
    keys = batch_keys(len(samples), schedule.batch_size, seed, range(start, total))
    has_images = len(ranks.share(range(schedule.batch_size))) > 0
    step_losses = distributed(_Losses(model, losses, has_images=has_images))
    batches = loader(
        samples,
        keys,
        seed=seed,
        num_workers=compute.num_workers,
        pin_memory=compute.device.type == "cuda",
        collate=collate,
    )
    meter, interval = _Meter(), Interval(checkpoint_seconds)

    def report(done: int, values: Mapping[str, float]) -> None:
        logger.debug("%s step %d/%d %s", description, done, total, _words(values))
        if note is not None and ranks.is_first():
            note(done, values)

    model.train()
    with bar(total=total, initial=start, description=description, unit="step") as progress:
        for step, batch in enumerate(watched(batches), start):
            _set_rate(optimizer, schedule.rate(step, total))
            _seed_step(seed, step)
            with memory_for(f"step {step + 1}", remedy=SMALLER):
                meter.add(_take_step(step_losses, optimizer, batch, weights or {}, compute))
            progress.update()

            done = step + 1
            pause = done % every == 0 or done == total
            if done % report_every == 0 or pause:
                means = meter.means(done)
                progress.set_postfix({name: f"{value:.4f}" for name, value in means.items()})
                report(done, means)
            if pause and validate is not None:
                report(done, _in_eval_mode(model, validate))
            if ranks.is_first() and (pause or interval.is_over()):
                meter.check(done)
                _check_gradients(model, done)
                save_checkpoint(checkpoint, model, optimizer, done, schedule)
                interval.restart()


def _take_step(
    losses: Callable[[Any], Terms],
    optimizer: torch.optim.Optimizer,
    batch: Any,
    weights: Mapping[str, float],
    compute: Compute,
) -> Terms:
    if isinstance(batch, Exception):
        raise batch
    with compute.autocast():
        terms = losses(compute.put(batch))
    loss = torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return terms


def _check_gradients(model: nn.Module, step: int) -> None:
    """Raise ValueError where the step's gradients, the ranks' mean, are not finite.

    Another rank's loss that is not finite shows there first, before its means are exchanged.
    """
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise ValueError(
                f"the gradient of {name} is not finite at step {step}, on this rank or another: "
                "training stopped, the last checkpoint is intact; a lower learning rate may help"
            )


def _steps_to_take(schedule: Schedule, images: int) -> int:
    total = schedule.total_steps(images)
    if total == 0:
        raise ValueError(
            f"a batch of {schedule.batch_size} images cannot be made of {images}: "
            "pass a smaller batch size or a longer list"
        )
    return total


def _seed_step(seed: int, step: int) -> None:
    """Make a step's random numbers depend on the seed, the step and the rank alone."""
    (state,) = np.random.SeedSequence([seed, step, ranks.rank()]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))


def _set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("base_lr", group["lr"]) * factor


def _in_eval_mode(
    model: nn.Module, validate: Callable[[], Mapping[str, float]]
) -> Mapping[str, float]:
    model.eval()
    try:
        return validate()
    finally:
        model.train()


class _Losses(nn.Module):
    """The losses as a module, whose gradients the ranks average.

    Without images of its own (see `batch_keys`) a rank's losses are 0, and so are
    its gradients.
    """

    def __init__(
        self, model: nn.Module, losses: Callable[[Any], Terms], *, has_images: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.losses = losses
        self.has_images = has_images

    def forward(self, batch: Any) -> Terms:
        with ranks.counting(self.has_images):
            terms = self.losses(batch)
        return terms if self.has_images else {name: 0.0 * term for name, term in terms.items()}


class _Meter:
    """Running means of the loss terms, kept on the device: reading one synchronises."""

    def __init__(self) -> None:
        self.sums: Terms = {}
        self.count = 0

    def add(self, terms: Terms) -> None:
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + term.detach()
        self.count += 1

    def means(self, step: int) -> dict[str, float]:
        """Return the means since the last call; ValueError names a term that is not finite."""
        sums = ranks.mean(torch.stack([value.float() for value in self.sums.values()]))
        self.sums = dict(zip(self.sums, sums, strict=True))
        self.check(step)
        means = {name: float(value) / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means

    def check(self, step: int) -> None:
        """Raise ValueError, naming it, if a term was not finite since the last means."""
        for name, value in self.sums.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"the loss {name} is {float(value)} at step {step}: training stopped, the "
                    "last checkpoint is intact; a lower learning rate may help"
                )


def _words(values: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in values.items())
