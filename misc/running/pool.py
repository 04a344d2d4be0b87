"""The pool: processes for the rest of an image's way once the device has done its part.

An image's way through a stage is written as one generator function. It runs in the process that
has the device, and yields the pool's next job: a picklable call without arguments. It is resumed
with that call's result; meanwhile the device works on other images.
"""

import multiprocessing
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import Any

Job = Callable[[], Any]
Way = Generator[Job, Any, Any]

IMAGES_A_PROCESS = 3  # in flight: enough that the pool never waits for the device


def travel(
    ways: Iterable[tuple[str, Way]], *, num_workers: int, start: Callable[[], None]
) -> Iterator[tuple[str, Any]]:
    """Run the ways of images, many at once.

    Args:
        ways: each image's id and its way; an image starts when it is taken from here.
        num_workers: processes of the pool; 0 runs its jobs in this process, image by image.
        start: called in each process of the pool before its first job; picklable.

    Yields:
        (id, what its way returned), in the order of `ways`.

    Raises:
        The first error of `ways`, of a way or of a job, as it was raised, after the results of the
            images before it; OSError where a process of the pool died.
    """
    with _pool_of(num_workers, start) as pool:
        most = IMAGES_A_PROCESS * num_workers
        travellers: deque[_Traveller] = deque()
        for traveller in _departures(ways, pool):
            travellers.append(traveller)
            _move_on(travellers)
            while travellers and (travellers[0].is_done or len(travellers) > most):
                yield _arrival(travellers)
        while travellers:
            yield _arrival(travellers)


def forking() -> BaseContext:
    """Return the context of the house's processes: forked from this one where that is sound.

    Linux's default since Python 3.14, a server that forks them, would be another parent than this
    process, and import torch in each of them.
    """
    return multiprocessing.get_context("fork" if sys.platform == "linux" else None)


@contextmanager
def _pool_of(num_workers: int, start: Callable[[], None]) -> Iterator[ProcessPoolExecutor | None]:
    """Hold a pool of processes; None for 0. An error or an interrupt ends them at once."""
    if not num_workers:
        yield None
        return
    initargs = (start, os.getpid())
    pool = ProcessPoolExecutor(num_workers, forking(), initializer=_start, initargs=initargs)
    try:
        yield pool
    except BaseException:
        # Waiting for their jobs would take long, and outputs are written atomically.
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class _Traveller:
    """An image in flight: its current job in the pool, or its result."""

    def __init__(self, image_id: str, way: Way, pool: ProcessPoolExecutor | None) -> None:
        self.image_id = image_id
        self.way = way
        self.pool = pool
        self.job: Future[Any] = Future()
        self.result: Any = None
        self.error: Exception | None = None
        self.is_done = False
        self._advance(None)

    def advance(self) -> None:
        """Resume the way with the result of its finished job."""
        self._advance(self.job.result)

    def _advance(self, job: Job | None) -> None:
        """Resume the way with the result of a job, or its error; None starts it."""
        try:
            while True:
                job = self.way.send(None) if job is None else _resumed(self.way, job)
                if self.pool is not None:
                    self.job = self.pool.submit(job)
                    return
        except StopIteration as end:
            self._end(result=end.value)
        except Exception as error:
            self._end(error=error)

    def _end(self, *, result: Any = None, error: Exception | None = None) -> None:
        self.result, self.error, self.is_done = result, error, True


def _resumed(way: Way, job: Job) -> Job:
    """Run a job, hand its result to the way, or raise its error there; return the next job."""
    try:
        result = job()
    except Exception as error:
        return way.throw(error)
    return way.send(result)


def _departures(
    ways: Iterable[tuple[str, Way]], pool: ProcessPoolExecutor | None
) -> Iterator[_Traveller]:
    """Start images, up to the first that fails at once."""
    for image_id, way in ways:
        traveller = _Traveller(image_id, way, pool)
        yield traveller
        if traveller.error is not None:
            return


def _move_on(travellers: Iterable[_Traveller]) -> None:
    """Advance every image whose job is finished."""
    for traveller in travellers:
        if not traveller.is_done and traveller.job.done():
            traveller.advance()


def _arrival(travellers: deque[_Traveller]) -> tuple[str, Any]:
    """Wait until the first image is finished; return its result or raise its error."""
    first = travellers[0]
    while not first.is_done:
        wait([t.job for t in travellers if not t.is_done], return_when=FIRST_COMPLETED)
        _move_on(travellers)
    travellers.popleft()
    if isinstance(first.error, BrokenProcessPool):
        raise OSError(
            f"{first.image_id}: a process that writes results died, most often out of memory: pass "
            "a smaller --num_workers (0 does all in one process) and run the same command again"
        ) from first.error
    if first.error is not None:
        raise first.error
    return first.image_id, first.result


def _start(start: Callable[[], None], parent: int) -> None:
    end_with(parent)
    start()


def end_with(parent: int) -> None:
    """Let this process end when its parent is gone: a killed parent cannot end it."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
