"""The training loop: named loss terms, a polynomial schedule, checkpoints, resume."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from misc.files.weights import read_tensors, save_tensors
from misc.machine import ranks
from misc.machine.device import Compute, compute_of, memory_for
from misc.machine.distributed import distributed
from misc.run.log import logger
from misc.run.progress import bar
from misc.run.records import checkpoint_path
from misc.settings.config import Config
from misc.train.batches import load_batches
from misc.train.curves import TrainingCurve, curve_path
from misc.train.samples import ImageSamples

Terms = dict[str, torch.Tensor]

# New layers have a larger learning rate under SGD; AdamW scales each step by itself.
RATE_FACTORS = {"sgd": 10.0, "adamw": 1.0}
REPORT_EVERY = 50  # steps
SMALLER = "pass a smaller batch or crop size, or another --device; the last checkpoint is intact"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The length, batch size and learning rate of a training."""

    batch_size: int  # of all ranks together
    epochs: int = 0  # each drops its last, partial batch
    steps: int = 0  # T, in place of epochs
    warmup_steps: int = 0  # over which the learning rate rises
    power: float = 0.9  # of the polynomial decay
    drops: tuple[int, ...] | None = None  # steps that divide the rate by ten, in place of the decay

    def total_steps(self, images: int) -> int:
        """Return T."""
        return self.steps or images // self.batch_size * self.epochs

    def rate(self, step: int, total: int) -> float:
        """Return the factor of the learning rate before step t = 0, 1, …: (1 - t/T)^power."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.drops is not None:
            return float(warmup * 0.1 ** sum(step >= drop for drop in self.drops))
        return float(warmup * (1 - step / total) ** self.power)


def make_optimizer(
    name: str, groups: Sequence[dict[str, Any]], *, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Build `sgd` (METHOD section 1) or `adamw` (for training from scratch).

    Groups are torch's: `params`, and `lr`, the learning rate at the schedule's peak.
    """
    if name == "adamw":
        # Fused is several times faster; not all versions of torch have it on mps.
        fused = all(p.device.type != "mps" for group in groups for p in group["params"])
        return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=fused)
    return torch.optim.SGD(groups, momentum=momentum, weight_decay=weight_decay)


def train(
    config: Config,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: ImageSamples,
    losses: Callable[[Any, Any], Terms],
    schedule: Schedule,
    *,
    name: str,
    weights: Path,
    term_weights: Mapping[str, float] | None = None,
    validate: Callable[[Any], Mapping[str, float]] | None = None,
    every: int | None = None,
) -> None:
    """Train `model` in place, from its checkpoint if there is one.

    Batches, crops and the order of images depend on the seed and the step alone, so that a
    resumed run takes exactly the steps of an uninterrupted one, whatever the number of ranks.

    Args:
        config: has the device, the seed, the seconds between checkpoints, TensorBoard's folder.
        model: the network, on the device.
        optimizer: its groups' `lr` are the learning rates at the schedule's peak.
        samples: the training set.
        losses: maps the network and a batch to named scalar terms; with several ranks to this one's
            part of them: their mean over the ranks is that of the whole batch.
        schedule: length, batch size and learning rate.
        name: of the training, in the progress bar and TensorBoard.
        weights: path of the weights to write; checkpoint and curves are beside it.
        term_weights: of the terms in the total loss; 1 where not named.
        validate: maps the network, in eval mode, to measures, which are logged.
        every: steps between validations, each followed by a checkpoint; by default an epoch.
    """
    if len(samples) < schedule.batch_size:
        words = "%s: batch size %d is larger than the %d training images; using %d"
        logger.info(words, name, schedule.batch_size, *[len(samples)] * 2)
        schedule = replace(schedule, batch_size=len(samples))
    compute, total = compute_of(config), schedule.total_steps(len(samples))
    every = every or len(samples) // schedule.batch_size
    checkpoint = checkpoint_path(weights)
    start = resume(checkpoint, model, optimizer, compute.device, schedule)
    curve = None
    if ranks.is_first():
        board = Path(config.tensorboard_dir) / name if config.tensorboard else None
        curve = TrainingCurve(curve_path(weights), resumed=start > 0, tensorboard=board)
    has_images = len(ranks.share(range(schedule.batch_size))) > 0
    step_losses = distributed(_Losses(model, losses, has_images=has_images))
    batches = load_batches(
        samples,
        schedule.batch_size,
        range(start, total),
        seed=config.seed,
        num_workers=compute.num_workers,
        pin_memory=compute.device.type == "cuda",
    )
    meter, saved = _Meter(), time.monotonic()

    def report(done: int, values: Mapping[str, float]) -> None:
        logger.debug("%s step %d/%d %s", name, done, total, _words(values))
        if curve is not None:
            curve.add(done, values)

    model.train()
    with bar(total=total, initial=start, description=name, unit="step") as progress:
        for step, batch in enumerate(batches, start):
            _set_rate(optimizer, schedule.rate(step, total))
            _seed_step(config.seed, step)
            with memory_for(f"step {step + 1}", remedy=SMALLER):
                meter.add(_take_step(step_losses, optimizer, batch, term_weights or {}, compute))
            progress.update()

            done = step + 1
            pause = done % every == 0 or done == total
            if done % REPORT_EVERY == 0 or pause:
                means = meter.means(done)
                progress.set_postfix({term: f"{value:.4f}" for term, value in means.items()})
                report(done, means)
            if pause and validate is not None:
                report(done, validate(model.eval()))
                model.train()
            is_due = time.monotonic() - saved >= config.checkpoint_every
            if ranks.is_first() and (pause or is_due):
                meter.check(done)
                _check_gradients(model, done)
                save_checkpoint(checkpoint, model, optimizer, done, schedule)
                saved = time.monotonic()


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, schedule: Schedule
) -> None:
    """Write the state after `step` steps: all that a rerun needs to resume as if never stopped."""
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
    schedule: Schedule,
) -> int:
    """Load a checkpoint if there is one, and return its number of steps."""
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


def _seed_step(seed: int, step: int) -> None:
    """Make a step's random numbers depend on the seed, the step and the rank alone."""
    (state,) = np.random.SeedSequence([seed, step, ranks.rank()]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))


def _set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("base_lr", group["lr"]) * factor


class _Losses(nn.Module):
    """The losses as a module, whose gradients the ranks average.

    Without images of its own (see `batch_keys`) a rank's losses are 0, and so are
    its gradients.
    """

    def __init__(
        self, model: nn.Module, losses: Callable[[Any, Any], Terms], *, has_images: bool
    ) -> None:
        super().__init__()
        self.model, self.losses, self.has_images = model, losses, has_images

    def forward(self, batch: Any) -> Terms:
        with ranks.counting(self.has_images):
            terms = self.losses(self.model, batch)
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
