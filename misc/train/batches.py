"""Training batches: their images and order, and the loader processes that make them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from misc.machine import ranks
from misc.run.workers import forking, start_worker


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
    processes = ranks.share_of_processes(num_workers)
    return DataLoader(
        _Augmented(samples, seed),
        batch_sampler=_Once(keys),
        collate_fn=partial(_collate, collate),
        num_workers=processes,
        multiprocessing_context=forking() if processes else None,
        worker_init_fn=start_worker,
        # Without a generator of its own, a loader's seed would consume torch's random state.
        generator=torch.Generator().manual_seed(0),
        pin_memory=pin_memory,
    )


def watched(batches: DataLoader[Any]) -> Iterator[Any]:
    """Yield a loader's batches; OSError in one line where one of its processes died."""
    try:
        yield from batches
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise OSError(
            f"a loader process died ({str(error).splitlines()[0]}), most often out of memory: "
            "pass a smaller --num_workers (0 loads in the main process) and run the same command "
            "again"
        ) from error


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
