"""The loop over images: one function mapped over image ids, for every stage without training.

An image goes one way: disk → loader process (decode, uint8) → this process, which has the device →
pool process (components, compression, PNG) → disk.
"""

import inspect
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from misc.machine import ranks
from misc.machine.device import memory_for
from misc.running.pool import Way, end_with, forking, travel
from misc.running.progress import bar

Load = Callable[[str], Any]
Process = Callable[[str, Any], Any]

REMEDY = "free some, pass another --device, or leave the image out of the list; results are kept"


def map_images(
    ids: Sequence[str],
    load: Load,
    *,
    process: Process | None = None,
    outputs: Callable[[str], Sequence[Path]] | None = None,
    num_workers: int = 0,
    device: torch.device | None = None,
    description: str = "",
) -> Iterator[tuple[str, Any]]:
    """Map over images: `load(id)` in worker processes, then `process(id, loaded)` here.

    Args:
        ids: the images, in the order in which results come.
        load: runs in the workers; it and what it returns must be picklable.
        process: runs in this process, which has the device; by default returns what was loaded.
            A generator function is an image's way through the pool, see misc.running.pool.
        outputs: the files that an image's results are written to (atomically, by `load` or
            `process`); images whose files are all there are skipped.
        num_workers: loader processes, and as many of the pool; 0 does all in this process.
        device: where `process` copies what was loaded; tensors are pinned for a CUDA device.
        description: of the progress bar.

    Yields:
        (id, result) for each image that was not skipped.

    Raises:
        The first error that `load` or `process` raises, as it was raised; OSError, which names
            the image, where it is out of memory.
    """
    todo = _unfinished(ids, outputs)
    workers = min(ranks.share_of_processes(num_workers), len(todo))
    loader = DataLoader(
        _Loaded(todo, load),
        batch_size=None,
        collate_fn=_as_loaded,
        **in_processes(workers),
        pin_memory=device is not None and device.type == "cuda",
    )
    ways = (
        (image_id, _way(image_id, loaded, process))
        for image_id, loaded in zip(todo, watched(loader), strict=True)
    )
    done = len(ids) - len(todo)
    with bar(total=len(ids), initial=done, description=description, unit="image") as progress:
        in_pool = workers if inspect.isgeneratorfunction(process) else 0
        for image_id, result in travel(ways, num_workers=in_pool, start=start_pool_process):
            yield image_id, result
            progress.update()


def _way(image_id: str, loaded: Any, process: Process | None) -> Way:
    """Process what was loaded for an image, or raise the error loaded in its place."""
    with memory_for(image_id, remedy=REMEDY):
        if isinstance(loaded, Exception):
            raise loaded
        result = loaded if process is None else process(image_id, loaded)
        if inspect.isgenerator(result):
            result = yield from result
        return result


def run_images(ids: Sequence[str], load: Load, **options: Any) -> None:
    """Map over images only to write their files, each on one of the ranks.

    Arguments as `map_images`.
    """
    for _ in map_images(_own_part(ids, **options), load, **options):
        pass
    ranks.wait()


def _own_part(
    ids: Sequence[str], *, outputs: Callable[[str], Sequence[Path]] | None = None, **_: Any
) -> Sequence[str]:
    """Distribute the unfinished images, so that no rank idles after one was lost."""
    if outputs is None or ranks.world_size() == 1:
        return ranks.share(ids)
    # Only the first rank checks: others may finish files while the last ranks still check.
    return ranks.share(ranks.on_first(lambda: _unfinished(ids, outputs)))


def _unfinished(
    ids: Sequence[str], outputs: Callable[[str], Sequence[Path]] | None
) -> Sequence[str]:
    return [i for i in ids if outputs is None or not all(path.exists() for path in outputs(i))]


def collect_images(ids: Sequence[str], load: Load, **options: Any) -> list[Any]:
    """Map over images, each on one of the ranks, and gather all small results on all ranks.

    Arguments as `map_images`; the results are in the order of `ids`.
    """
    return ranks.gather([result for _, result in map_images(ranks.share(ids), load, **options)])


def watched(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield a loader's batches; OSError in one line where one of its processes died."""
    try:
        yield from loader
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise OSError(
            f"a loader process died ({str(error).splitlines()[0]}), most often out of memory: "
            "pass a smaller --num_workers (0 loads in the main process) and run the same command "
            "again"
        ) from error


def in_processes(number: int) -> dict[str, Any]:
    """Return the options of a DataLoader with this many processes."""
    return {
        "num_workers": number,
        "multiprocessing_context": forking() if number else None,
        "worker_init_fn": start_worker,
        # Without a generator of its own, a loader's seed would consume torch's random state.
        "generator": torch.Generator().manual_seed(0),
    }


def start_worker(worker: int) -> None:
    """Set up a loader process."""
    end_with(os.getppid())
    start_pool_process()


def start_pool_process() -> None:
    """Set up one of many processes: one thread each, as there is one process per core."""
    import cv2

    # The main process handles an interrupt and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


@dataclass(frozen=True)
class _Loaded(Dataset[Any]):
    ids: Sequence[str]
    load: Load

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Any:
        # An error is returned as a value: raised in a worker, it would be wrapped in a traceback.
        try:
            return self.load(self.ids[index])
        except Exception as error:
            return error


def _as_loaded(value: Any) -> Any:
    return value
