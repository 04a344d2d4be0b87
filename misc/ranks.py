"""The processes of one run, as torchrun starts them: all that knows that there may be several.

Without torchrun there is one rank, and nothing here costs or changes anything.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

Value = TypeVar("Value")

# How long ranks wait for each other. One that dies is noticed at once, by its closed connection.
LONGEST_WAIT = timedelta(hours=1)

_alone = False


def start(device: str) -> None:
    """Meet the other ranks, if torchrun started this process.

    Args:
        device: as --device: the ranks talk through nccl on GPUs, one each, else through gloo.

    Raises:
        ValueError: there are fewer GPUs than ranks on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    on_gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpu:
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise ValueError(
                f"torchrun --nproc_per_node: process {local + 1} finds {gpus} GPUs on this "
                "machine; start one process a GPU, or pass --device cpu"
            )
        torch.cuda.set_device(local)
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=LONGEST_WAIT)


def stop() -> None:
    """Part from the other ranks."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Give this process's number, from 0."""
    return dist.get_rank() if _together() else 0


def world_size() -> int:
    """Give the number of processes of this run, on all machines."""
    return dist.get_world_size() if _together() else 1


def is_first() -> bool:
    """Whether this process is the one that writes what is written once."""
    return rank() == 0


def share(items: Sequence[Value]) -> Sequence[Value]:
    """Give this rank's items: every world_size-th."""
    return items[rank() :: world_size()]


def share_of_processes(number: int) -> int:
    """Give this rank's number of loader processes, of those of its machine."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if _together() else 1
    return -(-number // here)


def gather(values: Sequence[Value]) -> list[Value]:
    """Give all ranks' values of `share`d items, in the order of the items, on every rank."""
    if not _together():
        return list(values)
    parts: list[Any] = [None] * world_size()
    _meet(lambda: dist.all_gather_object(parts, list(values)))
    longest = max(len(part) for part in parts)
    return [part[place] for place in range(longest) for part in parts if place < len(part)]


def on_first(function: Callable[[], Value]) -> Value:
    """Call a function on the first rank while the others wait, and give its value on all.

    Within it the first rank is alone: it may call all that is here.

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
    """Return when all ranks have come here."""
    gather([])


def mean(values: torch.Tensor) -> torch.Tensor:
    """Average a tensor over the ranks, without gradient; the same on all of them."""
    if not _together():
        return values
    total = values.detach().clone()
    _meet(lambda: dist.all_reduce(total))
    return total / world_size()


def is_lost_rank(error: RuntimeError) -> bool:
    """Whether an error says that another rank cannot be reached."""
    words = str(error)
    return _together() and any(name in words for name in ("gloo", "NCCL", "Connection"))


def distributed(module: nn.Module) -> nn.Module:
    """Let the ranks average the gradients of a module's parameters; return what to call instead."""
    if not _together():
        return module
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:
            # The same parameters and buffers, which the optimiser already has.
            part.__class__ = SharedBatchNorm
    return nn.parallel.DistributedDataParallel(module)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm by the images of all ranks, each of which has as many.

    torch's SyncBatchNorm is for GPUs only.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        average = _Mean.apply(values.mean(dim=(0, 2, 3)))
        centred = values - average[:, None, None]
        variance = _Mean.apply((centred**2).mean(dim=(0, 2, 3)))
        self._remember(average.detach(), variance.detach(), x.numel() // x.shape[1] * world_size())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, average: torch.Tensor, variance: torch.Tensor, count: int) -> None:
        momentum = self.momentum or 0.0
        unbiased = variance * (count / max(count - 1, 1))
        for running, new in ((self.running_mean, average), (self.running_var, unbiased)):
            if running is not None:
                running.lerp_(new, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return mean(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return mean(gradient)


def _together() -> bool:
    return dist.is_initialized() and not _alone


def _meet(exchange: Callable[[], Any]) -> None:
    try:
        exchange()
    except RuntimeError as error:
        raise ConnectionError(lost_rank(error)) from error


def lost_rank(error: RuntimeError) -> str:
    """Say in one line that another rank was lost."""
    return (
        f"rank {rank()}: another process of this run has stopped ({str(error).splitlines()[0]}); "
        "give the same command again to go on"
    )
