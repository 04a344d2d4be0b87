"""A training: weights are claimed, trained from a checkpoint if there is one, and written."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from misc.files.dataset import Dataset
from misc.files.weights import save_weights
from misc.machine import ranks
from misc.machine.device import Compute, compute_of, memory_for
from misc.run.log import logger, progress_bar
from misc.run.records import (
    Settings,
    checkpoint_path,
    claim_weights,
    confirm_weights,
    read_note,
    write_note,
)
from misc.run.results import result_settings
from misc.run.stage import StageFiles, label_source_path
from misc.settings.config import Config
from misc.settings.metadata import FIELD, describe
from misc.train.curves import TrainingCurve, curve_path
from misc.train.engine import (
    Checkpoint,
    Meter,
    Terms,
    distributed_losses,
    load_parts,
    set_rate,
    take_step,
)
from misc.train.samples import ImageSamples
from misc.train.supervision import Supervision

# New layers have a larger learning rate under SGD; AdamW scales each step by itself.
RATE_FACTORS = {"sgd": 10.0, "adamw": 1.0}
POWER = 0.9  # of the polynomial decay of the learning rate
REPORT_EVERY = 50  # steps
IMAGES = "images"  # of the record: those that the network was trained on, with their facts
SMALLER = (
    "pass a small --micro_batch, for example 1, a smaller crop size or another --device; the last "
    "checkpoint is intact"
)


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training whose weights this run has claimed.

    Attributes:
        name: in the progress bar, the log and TensorBoard.
        weights: path of the weights to write; checkpoint and curve are beside it.
        compute: device, precision of the networks, loader processes.
        seed: random seed.
        micro_batch: images that go through the network at once; 0: a rank's part of the batch.
        checkpoint_every: seconds between checkpoints.
        tensorboard: folder of TensorBoard's files; None for none.
        settings: by stage, those that shape the weights.
        is_finished: whether the weights are there, made with these settings.
    """

    name: str
    weights: Path
    compute: Compute
    seed: int = 0
    micro_batch: int = 0
    checkpoint_every: float = 60
    tensorboard: Path | None = None
    settings: Settings = field(default_factory=dict)
    is_finished: bool = False

    @property
    def checkpoint(self) -> Path:
        """The path of what a rerun resumes from."""
        return checkpoint_path(self.weights)

    def note(self, name: str) -> Any:
        """Return what the record of the weights says by a name; None for nothing."""
        return read_note(self.weights, name)

    def save(self, model: nn.Module, notes: Mapping[str, Any] | None = None) -> None:
        """Write the weights and delete the checkpoint, on the first rank.

        While the file may still be the former one, the record has none of the notes: killed at
        any moment, the same command ends with the same files.
        """
        notes = notes or {}

        def write() -> None:
            for name in notes:
                write_note(self.weights, name, None)
            confirm_weights(self.weights, self.settings)
            save_weights(model, self.weights)
            self.checkpoint.unlink(missing_ok=True)
            for name, value in notes.items():
                write_note(self.weights, name, value)

        ranks.on_first(write)


def claim_training(
    config: Config,
    dataset: Dataset,
    network: str,
    ids: Sequence[str],
    supervision: Supervision | None = None,
) -> Training:
    """Claim the weights of a network for a training on these images.

    The record beside them says what --predict needs of the network, and the images' facts: another
    folder may have images of the same names.
    """
    stage = name = f"train_{network}"
    weights = Path(vars(config)[f"{network}_weights_name"])
    more, extra, truth = [], None, ""
    if supervision is not None:
        name = f"{stage}_{supervision.name}"
        weights = label_source_path(weights, supervision.name)
        more, extra = supervision.settings(), {"supervision": supervision.name}
        truth = supervision.kind if supervision.name == "full" else ""
    if network != "cam" and config.pretrained == "none":
        more.append("cam_weights_name")  # the backbone is the classification network's
    settings = result_settings(
        StageFiles(stage, config, dataset), *more, ids=ids, truth=truth, extra=extra
    )
    metadata = describe(
        network,
        vars(config),
        dataset=dataset.name,
        class_names=dataset.class_names,
        category_ids=dataset.category_ids(),
        palette=dataset.palette.tobytes(),
    )
    notes = {FIELD: metadata, IMAGES: {i: dataset.image_facts(i) for i in ids}}
    is_finished = claim_weights(weights, settings, notes=notes, overwrite=config.overwrite)
    if is_finished:
        logger.info("%s is already trained with these settings", weights)
    return Training(
        name=name,
        weights=weights,
        compute=compute_of(config),
        seed=config.seed,
        micro_batch=config.micro_batch,
        checkpoint_every=config.checkpoint_every,
        tensorboard=Path(config.tensorboard_dir) / name if config.tensorboard else None,
        settings=settings,
        is_finished=is_finished,
    )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The length, batch size and learning rate of a training."""

    batch_size: int  # of all ranks together
    epochs: int = 0  # each drops its last, partial batch
    steps: int = 0  # T, in place of epochs
    warmup_steps: int = 0  # over which the learning rate rises
    drops: tuple[int, ...] | None = None  # steps that divide the rate by ten, in place of the decay

    def total_steps(self, images: int) -> int:
        """Return T."""
        return self.steps or images // self.batch_size * self.epochs

    def rate(self, step: int, total: int) -> float:
        """Return the factor of the learning rate before step t = 0, 1, …: (1 - t/T)^0.9."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.drops is not None:
            return float(warmup * 0.1 ** sum(step >= drop for drop in self.drops))
        return float(warmup * (1 - step / total) ** POWER)


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


def count_images(batch: Any) -> torch.Tensor:
    """Count the images of a batch whose first part they are: float32, a scalar."""
    return torch.tensor(float(len(batch[0])))


def train(
    training: Training,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    samples: ImageSamples,
    losses: Callable[[Any, Any], Terms],
    schedule: Schedule,
    *,
    counts: Callable[[Any], torch.Tensor] = count_images,
    term_weights: Mapping[str, float] | None = None,
    validate: Callable[[Any], Mapping[str, float]] | None = None,
    every: int | None = None,
) -> None:
    """Train `model` in place, from its checkpoint if there is one.

    Batches, crops and the order of images depend on the seed and the step alone, so that a
    resumed run takes exactly the steps of an uninterrupted one, whatever the number of ranks and
    the micro batch.

    Args:
        training: its weights are claimed.
        model: the network, on the device.
        optimizer: its groups' `lr` are the learning rates at the schedule's peak.
        samples: the training set.
        losses: maps the network and a part of a batch, a rank's or a micro batch, to named scalar
            terms; their mean over the parts is that of the whole batch (`ranks.mean_count`).
        schedule: length, batch size and learning rate.
        counts: counts in a part, by its labels alone, what the losses pass to `ranks.mean_count`;
            by default the images.
        term_weights: of the terms in the total loss; 1 where not named.
        validate: maps the network, in eval mode, to measures, which are logged.
        every: steps between validations, each followed by a checkpoint; by default an epoch.
    """
    schedule = _filled(schedule, len(samples), training.name)
    compute, total = training.compute, schedule.total_steps(len(samples))
    every = every or len(samples) // schedule.batch_size
    step_losses = distributed_losses(model.train(), losses)
    meter = Meter()
    checkpoint = Checkpoint(training.checkpoint, model, optimizer, meter, schedule=str(schedule))
    start = checkpoint.resume()
    curve = None
    if ranks.is_first():
        path, board = curve_path(training.weights), training.tensorboard
        curve = TrainingCurve(path, start=start, tensorboard=board)

    def report(done: int, values: Mapping[str, float]) -> None:
        words = " ".join(f"{name} {value:.4f}" for name, value in values.items())
        logger.debug("%s step %d/%d %s", training.name, done, total, words)
        if curve is not None:
            curve.add(done, values)

    batches = load_parts(
        samples,
        schedule.batch_size,
        range(start, total),
        seed=training.seed,
        micro_batch=training.micro_batch,
        compute=compute,
    )
    saved = time.monotonic()
    with progress_bar(total=total, initial=start, description=training.name, unit="step") as bar:
        for step, parts in enumerate(batches, start):
            set_rate(optimizer, schedule.rate(step, total))
            with memory_for(f"step {step + 1}", remedy=SMALLER):
                terms = take_step(
                    step_losses,
                    optimizer,
                    [replace(p, batch=samples.normalized(compute.put(p.batch))) for p in parts],
                    term_weights or {},
                    compute,
                    seed=(training.seed, step),
                    counts=counts,
                )
                meter.add(terms)
            bar.update()

            done = step + 1
            pause = done % every == 0 or done == total
            if done % REPORT_EVERY == 0 or pause:
                means = meter.means(done)
                bar.set_postfix({term: f"{value:.4f}" for term, value in means.items()})
                report(done, means)
            if pause and validate is not None:
                report(done, validate(model.eval()))
                model.train()
            is_due = time.monotonic() - saved >= training.checkpoint_every
            if ranks.is_first() and (pause or is_due):
                checkpoint.save(done)
                saved = time.monotonic()


def _filled(schedule: Schedule, images: int, name: str) -> Schedule:
    """Return the schedule with batches no larger than the number of images."""
    if images >= schedule.batch_size:
        return schedule
    words = "%s: batch size %d is larger than the %d training images; using %d"
    logger.info(words, name, schedule.batch_size, images, images)
    return replace(schedule, batch_size=images)
