"""The ranks of a run, as torchrun starts them: the only module on distributed processes.

Without torchrun there is one rank, and nothing here costs or changes anything.
"""

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import nn

Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")

# Ranks wait so long for one that works alone, for example measures labels, or that has vanished.
LONGEST_WAIT = timedelta(hours=2)
# How gloo reports a broken connection; its messages on wrong use begin differently.
_BROKEN_CONNECTION = re.compile(r"\[\S*gloo/transport/\S+:\d+\] ")

_alone = False
_mean_count: Callable[[torch.Tensor], torch.Tensor] | None = None


def are_started() -> bool:
    """Return whether torchrun started this process as one of several ranks."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def start(device: str) -> None:
    """Join the process group, if torchrun started this process.

    Args:
        device: as --device: the backend is nccl on GPUs, one each, else gloo.

    Raises:
        ValueError: there are fewer GPUs than ranks on this machine.
        ConnectionError: the ranks cannot meet, for example because their port is taken.
    """
    if not are_started() or dist.is_initialized():
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
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=LONGEST_WAIT)
    except dist.DistNetworkError as error:
        place = ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
        raise ConnectionError(
            f"torchrun --master_port: the ranks cannot meet at {place} "
            f"({str(error).splitlines()[0]}); pass the number of a free port"
        ) from error


def rank() -> int:
    """Return this process's rank, from 0."""
    return dist.get_rank() if _together() else 0


def world_size() -> int:
    """Return the number of processes of this run, on all machines."""
    return dist.get_world_size() if _together() else 1


def is_first() -> bool:
    """Return whether this process is rank 0, which writes what is written once."""
    return rank() == 0


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
    dist.all_gather_object(parts, list(values))
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
    dist.broadcast_object_list(outcome, src=0)
    if error is not None:
        raise error
    if outcome[0] is None:
        raise ConnectionError(f"rank {rank()}: rank 0 has stopped, its message says why")
    value: Value = outcome[0][0]
    return value


def rank0_only(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
    """Decorate a function that the first rank calls for all; see `on_first`."""

    @wraps(function)
    def call(*arguments: Arguments.args, **options: Arguments.kwargs) -> Value:
        return on_first(lambda: function(*arguments, **options))

    return call


def wait() -> None:
    """Wait until all ranks have reached this call."""
    gather([])


def mean(values: torch.Tensor) -> torch.Tensor:
    """Average a tensor over the ranks, without gradient."""
    if not _together():
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


@contextlib.contextmanager
def counting(mean_of_parts: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Let `mean_count` be this function within the context; without it, it is `mean`."""
    global _mean_count
    before, _mean_count = _mean_count, mean_of_parts
    try:
        yield
    finally:
        _mean_count = before


def mean_count(values: torch.Tensor) -> torch.Tensor:
    """Average a loss's counts, float32, over the parts of a batch: the ranks' and micro batches.

    The parts average their losses and gradients: a sum over this part's images, divided by the mean
    count, becomes the mean over all images.
    """
    return mean(values) if _mean_count is None else _mean_count(values)


def loss_weight(count: int) -> float:
    """Return this part's count over the parts' mean count: the weight of its mean loss."""
    own = torch.tensor(float(count))
    return float(own / mean_count(own))  # on every rank: they meet here


def distributed(module: nn.Module) -> nn.Module:
    """Average a module's gradients over the ranks; return the wrapped module to call instead.

    Live batch norm uses the images of all ranks on GPUs; torch has that for GPUs only.
    """
    if world_size() == 1:
        return module
    on_gpu = any(parameter.is_cuda for parameter in module.parameters())
    is_live = False
    for parent in list(module.modules()):
        for name, part in parent.named_children():
            # One that uses its running statistics stays what it is: converted, it would be live.
            if isinstance(part, nn.BatchNorm2d) and part.training:
                is_live = True
                if on_gpu:
                    setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(part))
    if is_live and not on_gpu and is_first():
        warnings.warn(
            f"live batch norm in {world_size()} processes on CPUs: each normalises by its own "
            "images alone",
            stacklevel=2,
        )
    return nn.parallel.DistributedDataParallel(module)


@contextlib.contextmanager
def telling_of_lost_ranks() -> Iterator[None]:
    """Report in one line that another rank cannot be reached.

    Raises:
        ConnectionError: in place of torch's own errors.
    """
    try:
        yield
    except RuntimeError as error:
        if not (_together() and _is_lost_rank(error)):
            raise
        raise ConnectionError(
            f"rank {rank()}: another process of this run has stopped, its message says why "
            f"({str(error).splitlines()[0]}); run the same command again to resume"
        ) from error


def _is_lost_rank(error: RuntimeError) -> bool:
    if isinstance(error, dist.DistBackendError):
        return "ncclRemoteError" in str(error)
    if isinstance(error, dist.DistNetworkError):
        return True
    return type(error) is RuntimeError and bool(_BROKEN_CONNECTION.match(str(error)))


def _together() -> bool:
    return dist.is_initialized() and not _alone
