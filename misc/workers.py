"""The loop over images: one function mapped over image ids, for every stage that has no training.

Images are read in worker processes and handed, in order, to the process that has the device.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from misc import ranks
from misc.device import memory_for

Load = Callable[[str], Any]
Process = Callable[[str, Any], Any]


def map_images(
    ids: Sequence[str],
    load: Load,
    *,
    process: Process | None = None,
    outputs: Callable[[str], Sequence[Path]] | None = None,
    num_workers: int = 0,
    description: str = "",
) -> Iterator[tuple[str, Any]]:
    """Map over images: `load(id)` in worker processes, then `process(id, loaded)` here.

    Args:
        ids: the images, in the order in which results come.
        load: runs in the workers; it and what it returns must be picklable.
        process: runs in this process, which has the device; by default what was loaded is given.
        outputs: the files that an image's results are written to (atomically, by `load` or
            `process`); images whose files are all there are skipped.
        num_workers: worker processes; 0 loads in this process.
        description: of the progress bar.

    Yields:
        (id, result) for each image that was not skipped.

    Raises:
        The first error that `load` or `process` raises, as it was raised; OSError, which names
            the image, where it is for want of memory.
    """
    todo = _unfinished(ids, outputs)
    loader = DataLoader(
        _Loaded(todo, load),
        batch_size=None,
        num_workers=min(ranks.share_of_processes(num_workers), len(todo)),
        collate_fn=_as_loaded,
        worker_init_fn=start_worker,
        generator=own_generator(),
        pin_memory=torch.cuda.is_available(),
    )
    with tqdm(
        total=len(ids),
        initial=len(ids) - len(todo),
        desc=description,
        unit="image",
        disable=not ranks.is_first(),
    ) as progress:
        for image_id, loaded in zip(todo, watched(loader), strict=True):
            yield image_id, _result(image_id, loaded, process)
            progress.update()


def _result(image_id: str, loaded: Any, process: Process | None) -> Any:
    remedy = (
        "free some, take another --device, or leave the image out of the list; what is made stays"
    )
    with memory_for(image_id, remedy=remedy):
        if isinstance(loaded, Exception):
            raise loaded
        return loaded if process is None else process(image_id, loaded)


def run_images(ids: Sequence[str], load: Load, **options: Any) -> None:
    """Map over images for the files that are written alone, each on one of the ranks.

    Arguments as `map_images`.
    """
    for _ in map_images(_own_part(ids, **options), load, **options):
        pass
    ranks.wait()


def _own_part(
    ids: Sequence[str],
    *,
    outputs: Callable[[str], Sequence[Path]] | None = None,
    **_: Any,
) -> Sequence[str]:
    """Share out the unfinished images, so that no rank idles after one was lost."""
    if outputs is None or ranks.world_size() == 1:
        return ranks.share(ids)
    # The first rank alone looks: others finish files while the last of them still look.
    return ranks.share(ranks.on_first(lambda: _unfinished(ids, outputs)))


def _unfinished(
    ids: Sequence[str], outputs: Callable[[str], Sequence[Path]] | None
) -> Sequence[str]:
    return [i for i in ids if outputs is None or not all(path.exists() for path in outputs(i))]


def collect_images(ids: Sequence[str], load: Load, **options: Any) -> list[Any]:
    """Map over images, each on one of the ranks, and give all small results to all ranks.

    Arguments as `map_images`; the results are in the order of `ids`.
    """
    return ranks.gather([result for _, result in map_images(ranks.share(ids), load, **options)])


def watched(loader: DataLoader[Any]) -> Iterator[Any]:
    """Give what a loader gives; OSError in one line where one of its processes died."""
    try:
        yield from loader
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise OSError(
            f"a loader process died ({str(error).splitlines()[0]}), most often for want of "
            "memory: pass a smaller --num_workers (0 loads in the main process) and give the same "
            "command again"
        ) from error


def own_generator() -> torch.Generator:
    """Give a loader a generator, or it would draw its seed from the random state of networks."""
    return torch.Generator().manual_seed(0)


def start_worker(worker: int) -> None:
    """Set up a worker process: one thread each, as there is one process for every core."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


@dataclass(frozen=True)
class _Loaded(Dataset[Any]):
    ids: Sequence[str]
    load: Load

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Any:
        # An error travels as a value: raised in a worker, it would come wrapped in a traceback.
        try:
            return self.load(self.ids[index])
        except Exception as error:
            return error


def _as_loaded(value: Any) -> Any:
    return value
