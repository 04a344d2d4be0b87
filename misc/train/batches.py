"""Training batches: their images and order, and the loader processes that make them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from misc.machine import ranks
from misc.run.workers import forking, start_worker
from misc.train.samples import ImageSamples


def load_batches(
    samples: ImageSamples,
    batch_size: int,
    steps: range,
    *,
    seed: int,
    num_workers: int,
    pin_memory: bool = False,
) -> Iterator[Any]:
    """Yield this rank's part of the steps' batches; an error of a sample in place of its batch.

    Pinned memory is for batches that are copied to a CUDA device.

    Raises:
        OSError: a loader process died.
    """
    processes = ranks.share_of_processes(num_workers)
    batches: DataLoader[Any] = DataLoader(
        _Augmented(samples, seed),
        batch_sampler=batch_keys(len(samples), batch_size, seed, steps),
        collate_fn=_Collate(samples),
        num_workers=processes,
        multiprocessing_context=forking() if processes else None,
        worker_init_fn=start_worker,
        # Without a generator of its own, a loader's seed would consume torch's random state.
        generator=torch.Generator().manual_seed(0),
        pin_memory=pin_memory,
    )
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
    """Yield (epoch, index) of each image of this rank's part of the steps' batches.

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
    samples: ImageSamples
    seed: int

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        try:
            return self.samples.sample(index, np.random.default_rng([self.seed, epoch, index]))
        except Exception as error:
            return error


@dataclass(frozen=True)
class _Collate:
    samples: ImageSamples

    def __call__(self, items: list[Any]) -> Any:
        errors = [item for item in items if isinstance(item, Exception)]
        return errors[0] if errors else self.samples.collate(items)
