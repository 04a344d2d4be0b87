"""The ranks of a run, as torchrun starts them: the only module on distributed processes.

Without torchrun there is one rank, and nothing here costs or changes anything.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from misc.machine.heartbeat import Heartbeat

Value = TypeVar("Value")

LONGEST_START = timedelta(minutes=30)  # until all ranks have joined
# Ranks that have joined wait for each other for any time: the heartbeat detects lost ones.
ENDLESS = timedelta(days=365)
# How gloo reports a broken connection; its messages on wrong use begin differently.
_BROKEN_CONNECTION = re.compile(r"\[\S*gloo/transport/\S+:\d+\] ")

_alone = False
_counts = True
_heartbeat: Heartbeat | None = None


def start(device: str) -> None:
    """Join the process group, if torchrun started this process.

    Args:
        device: as --device: the backend is nccl on GPUs, one each, else gloo.

    Raises:
        ValueError: there are fewer GPUs than ranks on this machine.
        ConnectionError: some ranks have not joined in time.
    """
    global _heartbeat
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    on_gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpu:
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise ValueError(
                f"torchrun --nproc_per_node: process {local + 1} finds {gpus} GPUs on this "
                "machine; start one process per GPU, or pass --device cpu"
            )
        torch.cuda.set_device(local)
    store, number, size = next(dist.rendezvous("env://", timeout=LONGEST_START))
    _await_all(store, number, size)
    _heartbeat = Heartbeat(_another_client(), number, size)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=store,
        rank=number,
        world_size=size,
        timeout=ENDLESS,
    )


def stop(error: BaseException | None = None) -> None:
    """Leave the process group, after a barrier; after an error at once, reporting it to the others.

    Args:
        error: what stops this rank.
    """
    global _heartbeat
    if not dist.is_initialized() or _heartbeat is None:
        return
    if error is None:
        wait()
    elif not isinstance(error, ConnectionError):
        with contextlib.suppress(RuntimeError):  # they may have left before
            _heartbeat.tell((str(error) or type(error).__name__).splitlines()[0])
    _heartbeat.stop()
    _heartbeat = None
    # Older ones wait for threads of theirs and hold the GIL that these may need: exit ends them.
    if error is None and torch.__version__ >= "2.8":
        dist.destroy_process_group()


def rank() -> int:
    """Return this process's rank, from 0."""
    return dist.get_rank() if _together() else 0


def world_size() -> int:
    """Return the number of processes of this run, on all machines."""
    return dist.get_world_size() if _together() else 1


def is_first() -> bool:
    """Return whether this process is rank 0, which writes what is written once."""
    return rank() == 0


def _await_all(store: dist.Store, number: int, size: int) -> None:
    names = [f"here/{other}" for other in range(size)]
    store.set(names[number], "")
    try:
        store.wait(names, LONGEST_START)
    except dist.DistStoreError as error:
        missing = [str(n) for n, name in enumerate(names) if not store.check([name])]
        raise ConnectionError(
            f"rank {number}: ranks {', '.join(missing)} have not joined within {LONGEST_START}; "
            "start all processes of the run at about the same time"
        ) from error


def _another_client() -> dist.Store:
    """Return a client of its own of the ranks' store (torch's own copying begins after 2.4)."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.TCPStore(host, port, is_master=False, timeout=LONGEST_START)


def share(items: Sequence[Value]) -> Sequence[Value]:
    """Return this rank's items: every world_size-th."""
    return items[rank() :: world_size()]


def share_of_processes(number: int) -> int:
    """Return this rank's share of its machine's loader processes."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if _together() else 1
    return -(-number // here)


def gather(values: Sequence[Value]) -> list[Value]:
    """Gather all ranks' values of `share`d items, in the order of the items, on every rank."""
    if not _together():
        return list(values)
    parts: list[Any] = [None] * world_size()
    _meet(lambda: dist.all_gather_object(parts, list(values)))
    longest = max(len(part) for part in parts)
    return [part[place] for place in range(longest) for part in parts if place < len(part)]


def on_first(function: Callable[[], Value]) -> Value:
    """Call a function on the first rank while the others wait, and return its value on all.

    Within it the first rank counts as the only one: it may call every function of this module.

    Raises:
        ConnectionError: on the other ranks, where the function raised an error on the first.
    """
    global _alone
    if not _together():
        return function()
    outcome: list[Any] = [None]
    error: BaseException | None = None
    if is_first():
        _alone = True
        try:
            outcome = [(function(),)]
        except BaseException as raised:
            error = raised
        finally:
            _alone = False
    _meet(lambda: dist.broadcast_object_list(outcome, src=0))
    if error is not None:
        raise error
    if outcome[0] is None:
        raise ConnectionError(f"rank {rank()}: rank 0 has stopped, its message says why")
    value: Value = outcome[0][0]
    return value


def wait() -> None:
    """Wait until all ranks have reached this call."""
    gather([])


def mean(values: torch.Tensor) -> torch.Tensor:
    """Average a tensor over the ranks, without gradient."""
    if not _together():
        return values
    total = values.detach().clone()
    _meet(lambda: dist.all_reduce(total))
    return total / world_size()


@contextlib.contextmanager
def counting(counts: bool) -> Iterator[None]:
    """Set whether this rank's counts are included within the context: see `mean_count`.

    A rank without an image of a batch takes the step with a placeholder image, which must not
    count.
    """
    global _counts
    before, _counts = _counts, counts
    try:
        yield
    finally:
        _counts = before


def counted(values: torch.Tensor) -> torch.Tensor:
    """Return this rank's count, or zeros where its image is a placeholder."""
    return values if _counts else torch.zeros_like(values)


def mean_count(values: torch.Tensor) -> torch.Tensor:
    """Average the ranks' counts of a step, without placeholder images.

    Ranks average their losses and gradients: a sum over this rank's images, divided by the mean
    count, becomes the mean over all images.
    """
    return mean(counted(values))


def part(count: int) -> float:
    """Return this rank's count over the ranks' mean count: the weight of its mean loss."""
    if not _together():
        return 1.0
    own = torch.tensor(float(count))
    return float(counted(own) / mean_count(own))


def is_lost_rank(error: BaseException) -> bool:
    """Return whether an error means that another rank cannot be reached."""
    if not _together():
        return False
    if isinstance(error, dist.DistBackendError):
        return "ncclRemoteError" in str(error)
    if isinstance(error, dist.DistNetworkError):
        return True
    return type(error) is RuntimeError and bool(_BROKEN_CONNECTION.match(str(error)))


def lost_rank(error: BaseException) -> str:
    """Describe in one line that another rank was lost; which and why, where that is known."""
    reason = _heartbeat.known_loss() if _heartbeat is not None else ""
    return (
        f"rank {rank()}: another process of this run has stopped "
        f"({reason or str(error).splitlines()[0]}); run the same command again to resume"
    )


def _together() -> bool:
    return dist.is_initialized() and not _alone


def _meet(exchange: Callable[[], Any]) -> None:
    try:
        exchange()
    except RuntimeError as error:
        if not is_lost_rank(error):
            raise
        raise ConnectionError(lost_rank(error)) from error
