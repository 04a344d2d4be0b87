"""The loop over images: one function mapped over image ids, for every stage without training.

An image goes one way, which is one generator: worker process (decode, uint8) → this process, which
has the device → worker process (components, compression, PNG) → disk. On a CPU a worker may take it
the whole way.
"""

import ctypes
import io
import multiprocessing
import pickle
import queue
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from inspect import isgenerator
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import torch

from misc.machine import ranks
from misc.machine.device import Compute, memory_for
from misc.run.log import progress_bar

Load = Callable[[str], Any]
Process = Callable[[str, Any], Any]
Outputs = Callable[[str], Sequence[Path]]
# What a worker does: it loads an image, or it makes a picklable call without arguments.
Job = str | Callable[[], Any]
Way = Generator[Job, Any, Any]
Submit = Callable[[str, Job], "Future[Any]"]

PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that follows the parent's end
IMAGES_A_WORKER = 3  # in flight: enough that neither the workers nor the device wait
REMEDY = (
    "free some, pass another --device or fewer --num_workers, or leave the image out of the list"
)


def map_images(
    ids: Sequence[str],
    load: Load,
    *,
    process: Process | None = None,
    outputs: Outputs | None = None,
    num_workers: int = 0,
    compute: Compute | None = None,
    description: str = "",
) -> Iterator[tuple[str, Any]]:
    """Map over images: `load(id)` in a worker process, then `process(id, loaded)` here.

    Where `compute` says so, a worker does both: it has a copy of all that `process` uses, and what
    `process` changes there is lost.

    Args:
        ids: the images, in the order in which results come.
        load: runs in the workers; it and what it returns must be picklable.
        process: runs in this process, which has the device; by default returns what was loaded.
            A generator function yields picklable calls without arguments, which run in the
            workers; it is resumed with their results.
        outputs: the files that an image's results are written to (atomically, by `load` or
            `process`); images whose files are all there are skipped.
        num_workers: worker processes; 0 does all in this process.
        compute: in place of `num_workers` where `process` applies a network.
        description: of the progress bar.

    Yields:
        (id, result) for each image that was not skipped.

    Raises:
        The first error that `load`, `process` or a call raises, as it was raised, after the
            results of the images before it; OSError, which names the image, where memory is
            exhausted or a worker died.
    """
    workers = ranks.share_of_processes(num_workers if compute is None else compute.num_workers)
    # Fewer images than workers would leave cores idle.
    if compute is not None and compute.in_workers and process is not None and len(ids) >= workers:
        load, process = partial(_go_all_the_way, load, process), None
    todo = deque(_unfinished(ids, outputs))
    workers = min(workers, len(todo))
    done = len(ids) - len(todo)
    in_flight: deque[_Image] = deque()
    with (
        progress_bar(total=len(ids), initial=done, description=description, unit="image") as bar,
        _workers(workers, load) as submit,
    ):
        while todo or in_flight:
            while todo and len(in_flight) < max(1, IMAGES_A_WORKER * workers):
                image_id = todo.popleft()
                in_flight.append(_Image(image_id, _way(image_id, process), submit))
            if in_flight[0].outcome.done():
                first = in_flight.popleft()
                yield first.image_id, first.outcome.result()
                bar.update()
            else:
                _resume_one(in_flight)


def run_images(
    ids: Sequence[str], load: Load, *, outputs: Outputs | None = None, **options: Any
) -> list[Any]:
    """Map over images, each on one of the ranks, and gather all small results on all ranks.

    Arguments as `map_images`; the results are in the order of `ids`. Ranks share what is
    unfinished: none idles after one was lost.
    """
    if ranks.world_size() > 1:
        # Only the first rank checks: others may finish files while the last ranks still check.
        ids = ranks.share(ranks.on_first(partial(_unfinished, ids, outputs)))
    results = map_images(ids, load, outputs=outputs, **options)
    return ranks.gather([result for _, result in results])


def start_worker(_number: int = 0) -> None:
    """Set up a worker process: one thread, and it ends with its parent, which handles signals."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if sys.platform == "linux":
        # At once: elsewhere it ends when it next asks the parent that is gone for something to do.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def forking() -> BaseContext:
    """Return the context of the house's processes: forked from this one where that is sound.

    Linux's default since Python 3.14, a server that forks them, would be another parent than this
    process, and import torch in each of them.
    """
    return multiprocessing.get_context("fork" if sys.platform == "linux" else None)


def _unfinished(ids: Sequence[str], outputs: Outputs | None) -> Sequence[str]:
    return [i for i in ids if outputs is None or not all(path.exists() for path in outputs(i))]


def _way(image_id: str, process: Process | None) -> Way:
    """Take an image through the loop: each job that this yields runs in a worker."""
    loaded = yield image_id
    result = loaded if process is None else process(image_id, loaded)
    if isgenerator(result):
        result = yield from result
    return result


def _go_all_the_way(load: Load, process: Process, image_id: str) -> Any:
    image = _Image(image_id, _way(image_id, process), partial(_submit_here, load))
    while not image.outcome.done():
        image.resume()
    return image.outcome.result()


class _Image:
    """An image in flight: its way, the job that the way waits for, and the way's outcome."""

    def __init__(self, image_id: str, way: Way, submit: Submit) -> None:
        self.image_id = image_id
        self.outcome: Future[Any] = Future()
        self._way = way
        self._submit = submit
        self.job = submit(image_id, next(way))

    def resume(self) -> None:
        """Hand its way the result of the finished job, and submit the next; an error ends it."""
        try:
            with memory_for(self.image_id, remedy=REMEDY):
                job = self._way.send(self.job.result())
            self.job = self._submit(self.image_id, job)
        except StopIteration as end:
            self.outcome.set_result(end.value)
        except Exception as error:
            self.outcome.set_exception(error)


def _resume_one(images: Sequence[_Image]) -> None:
    """Resume the first image whose job is finished; wait for one if there is none."""
    waiting = [image for image in images if not image.outcome.done()]
    while not (ready := [image for image in waiting if image.job.done()]):
        wait([image.job for image in waiting], return_when=FIRST_COMPLETED)
    ready[0].resume()


@contextmanager
def _workers(number: int, load: Load) -> Iterator[Submit]:
    """Hold worker processes, and yield the function that gives them an image's job.

    A thread of this process hands each worker one job and waits for the answer: nothing is sent
    to a process that does not read. 0 workers: jobs run here, when they are submitted.
    """
    if not number:
        yield partial(_submit_here, load)
        return
    context: Any = forking()
    pipes = [context.Pipe() for _ in range(number)]
    processes = [
        context.Process(target=_work, args=(load, place, pipes), daemon=True)
        for place in range(number)
    ]
    idle: queue.SimpleQueue[Connection] = queue.SimpleQueue()
    threads = ThreadPoolExecutor(number)
    try:
        for process in processes:
            process.start()
        for ours, theirs in pipes:
            theirs.close()
            idle.put(ours)
        fatal: list[str] = []
        yield lambda image_id, job: threads.submit(_ask, idle, fatal, image_id, job)
    finally:
        # What they still do is not wanted, or nothing: files are written atomically.
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()
        threads.shutdown(cancel_futures=True)
        for ours, _ in pipes:
            ours.close()


def _submit_here(load: Load, _image_id: str, job: Job) -> "Future[Any]":
    future: Future[Any] = Future()
    try:
        future.set_result(_done(load, job))
    except Exception as error:
        future.set_exception(error)
    return future


def _ask(idle: "queue.SimpleQueue[Connection]", fatal: list[str], image_id: str, job: Job) -> Any:
    """Let an idle worker do an image's job; return its result or raise its error.

    Images that a worker died of are added to `fatal`: it fails the next images, too.
    """
    request = _packed(job)
    worker = idle.get()
    try:
        worker.send_bytes(request)
        answer = worker.recv_bytes()
    except (EOFError, OSError) as error:
        fatal.append(image_id)
        raise OSError(
            f"{fatal[0]}: a worker process died, most often out of memory: pass a smaller "
            "--num_workers (0 does all in the main process) and run the same command again"
        ) from error
    finally:
        idle.put(worker)
    result, raised = pickle.loads(answer)
    if raised is not None:
        raise raised
    return result


def _work(load: Load, place: int, pipes: Sequence[tuple[Connection, Connection]]) -> None:
    """Do jobs until the pipe of this worker, one of many, is closed."""
    for number, (parents, own) in enumerate(pipes):
        # A worker that dies is noticed where nobody else holds its end open.
        parents.close()
        if number != place:
            own.close()
    start_worker()
    _, pipe = pipes[place]
    with suppress(EOFError, ConnectionError):  # the parent is gone
        while True:
            pipe.send_bytes(_answer(load, pickle.loads(pipe.recv_bytes())))


def _answer(load: Load, job: Job) -> bytes:
    try:
        return _packed((_done(load, job), None))
    except Exception as error:
        try:
            pickle.loads(_packed(error))
        except Exception:  # a class of another form, or of a function
            error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(traceback.format_exc())  # for the log
        return _packed((None, error))


def _done(load: Load, job: Job) -> Any:
    return load(job) if isinstance(job, str) else job()


def _packed(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    """Pickles tensors as arrays: torch's own pickling takes twice the time."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is torch.Tensor and value.device.type == "cpu" and not value.requires_grad:
            return torch.from_numpy, (value.numpy(),)
        return NotImplemented
