"""Training batches: their images and order, and the loader processes that make them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from torch.utils.data import DataLoader, Dataset, default_collate

from misc.machine import ranks
from misc.running.workers import in_processes


class Samples(Protocol):
    """A training set: a sample depends on its index and the generator alone."""

    def __len__(self) -> int:
        """Return the number of images."""

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """Return the augmented sample of an image."""


def loader(
    samples: Samples,
    keys: Iterator[list[tuple[int, int]]],
    *,
    seed: int,
    num_workers: int,
    pin_memory: bool = False,
    collate: Callable[[list[Any]], Any] = default_collate,
) -> DataLoader[Any]:
    """Load the augmented, collated batches for `keys` (see `batch_keys`) in worker processes.

    `pin_memory` is for batches that are copied to a CUDA device.

    An error of a sample is yielded in place of its batch.
    """
    return DataLoader(
        _Augmented(samples, seed),
        batch_sampler=_Once(keys),
        collate_fn=partial(_collate, collate),
        **in_processes(ranks.share_of_processes(num_workers)),
        pin_memory=pin_memory,
    )


def batch_keys(
    images: int, batch_size: int, seed: int, steps: range
) -> Iterator[list[tuple[int, int]]]:
    """Yield this rank's part of the steps' batches: (epoch, index) of each image.

    Every epoch has an order of its own. With fewer images than ranks, the ranks without one get the
    first as a placeholder, since all take every step; the training counts it once.
    """
    steps_an_epoch = images // batch_size
    order, order_epoch = np.arange(0), -1
    for step in steps:
        epoch, place = divmod(step, steps_an_epoch)
        if epoch != order_epoch:
            order = np.random.default_rng([seed, epoch]).permutation(images)
            order_epoch = epoch
        chosen = order[place * batch_size : (place + 1) * batch_size]
        own = ranks.share(chosen.tolist()) or chosen[:1].tolist()
        yield [(epoch, index) for index in own]


@dataclass(frozen=True)
class _Augmented(Dataset[Any]):
    samples: Samples
    seed: int

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        try:
            return self.samples.sample(index, np.random.default_rng([self.seed, epoch, index]))
        except Exception as error:
            return error


@dataclass(frozen=True)
class _Once:
    """A batch sampler over batches that are generated once."""

    batches: Iterator[list[tuple[int, int]]]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return self.batches


def _collate(collate: Callable[[list[Any]], Any], items: list[Any]) -> Any:
    for item in items:
        if isinstance(item, Exception):
            return item
    return collate(items)
