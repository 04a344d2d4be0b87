"""The one place that decides on which device, and in which precision, networks run.

It also describes them: for the head of the log, and below the final table.
"""

import contextlib
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torchvision
from torch import nn

from misc.machine import ranks
from misc.settings.config import Config
from misc.settings.cores import usable_cores

Model = TypeVar("Model", bound=nn.Module)

_DRIVER = Path("/proc/driver/nvidia/version")
_DEVICES = ("/dev/nvidia0", "/dev/kfd")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What a run computes with: device, precision of the networks, worker processes.

    Attributes:
        device: where networks run.
        precision: `fp32`, `tf32` or `bf16`.
        num_workers: worker processes that load images.
        in_workers: whether they also apply trained networks, each to its own image on one thread.
    """

    device: torch.device
    precision: str = "fp32"
    num_workers: int = 0
    in_workers: bool = False

    def place(self, model: Model) -> Model:
        """Move a network to the device, its weights in the memory format of the precision."""
        if self.precision != "bf16" and self.device.type != "cpu":
            return model.to(self.device)
        # bf16 kernels, and a CPU's, use channels last; other layouts are copied at every layer.
        return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def put(self, value: Any) -> Any:
        """Copy tensors, alone or in lists, tuples and dicts, to the device."""
        if isinstance(value, torch.Tensor):
            # Elsewhere a copy from memory that is not pinned may be read before it is there.
            return value.to(self.device, non_blocking=self.device.type == "cuda")
        if isinstance(value, Mapping):
            return {name: self.put(part) for name, part in value.items()}
        return [self.put(part) for part in value]

    def autocast(
        self, images: torch.Tensor | None = None
    ) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which networks run: bfloat16 autocast, or none; see `is_thin`."""
        if self.precision != "bf16" or (images is not None and is_thin(images)):
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def is_thin(images: torch.Tensor) -> bool:
    """Return whether maps of images (..., H, W) are at most 2 pixels wide or high at stride 16.

    Their networks run in float32: with bfloat16 a convolution of such maps gives other values each
    time on processors with AMX.
    """
    return min(images.shape[-2:]) <= 32


def use_own_cores() -> None:
    """Limit torch's threads to the cores of this container: it counts all of the machine's."""
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))


def pick_device(name: str) -> torch.device:
    """Resolve --device; auto takes cuda, then mps, then cpu.

    Raises:
        ValueError: the requested device is not available.
    """
    is_there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    available = [*(device for device, there in is_there.items() if there), "cpu"]
    if name not in ("auto", *available):
        raise ValueError(f"--device {name}: not available here; available: {', '.join(available)}")
    return torch.device(available[0] if name == "auto" else name)


def resolve_precision(device: torch.device, precision: str) -> str:
    """Resolve --precision; auto is bf16 where the device multiplies it natively, else fp32.

    Raises:
        ValueError: tf32 on a device that does not support it.
    """
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(
            f"--precision tf32: needs a CUDA device, this run is on {device.type}; accepted "
            "there: fp32, bf16, auto"
        )
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"
    if device.type == "cpu":
        # Older versions of torch do not tell: they get fp32.
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return "bf16" if capabilities.get("avx512_bf16") else "fp32"
    return "fp32"


def allow_tf32(allowed: bool) -> None:
    """Allow CUDA to use TF32 in float32 products, or not: torch's default allows some."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


@contextlib.contextmanager
def memory_for(task: str, *, remedy: str) -> Iterator[None]:
    """Report out of memory, of the device or the machine, in one line.

    Args:
        task: what the memory is for.
        remedy: what to do about it.

    Raises:
        OSError: in place of torch's and numpy's own errors.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        is_want = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not is_want and "can't allocate memory" not in reason:
            raise
        raise OSError(f"{task}: out of memory ({reason}); {remedy}") from error


def compute_of(config: Config) -> Compute:
    """Return the device, precision and loader processes that the config asks for."""
    device = pick_device(config.device)
    precision = resolve_precision(device, config.precision)
    allow_tf32(precision == "tf32")
    return Compute(
        device=device,
        precision=precision,
        num_workers=config.num_workers,
        in_workers=device.type == "cpu" and _divides_images(config),
    )


def _divides_images(config: Config) -> bool:
    """Return whether the cores take an image each, which is faster than all of them one image.

    A worker has a network by being forked. Where the machine has a GPU, torch may refuse gradients,
    which AdvCAM needs, in a process that is forked after a training.
    """
    is_enough = config.num_workers >= usable_cores() > 1
    return is_enough and sys.platform == "linux" and config.cam_method != "advcam"


def describe_machine(compute: Compute) -> str:
    """Describe in one line device, precision, versions, the number of ranks and the host."""
    return ", ".join(
        [
            _device_name(compute.device),
            f"precision {compute.precision}",
            f"torch {torch.__version__}",
            f"torchvision {torchvision.__version__}",
            f"Python {platform.python_version()}",
            f"{ranks.world_size()} rank" + "s" * (ranks.world_size() > 1),
            f"host {platform.node()}",
        ]
    )


def unused_gpu(device: torch.device) -> str | None:
    """Return why a GPU of this machine is not used where `device` is the CPU; None without one."""
    if device.type != "cpu" or not any(map(os.path.exists, _DEVICES)):
        return None
    if os.environ.get("CUDA_VISIBLE_DEVICES", "x") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides it"
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} was built without CUDA; install a build that has it"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return "torch finds none"


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return (
            f"{torch.cuda.get_device_name(device)}, driver {_driver()}, CUDA {torch.version.cuda}"
        )
    threads = torch.get_num_threads()
    return f"{device.type} ({processor()}, {threads} thread" + "s" * (threads > 1) + ")"


def _driver() -> str:
    try:
        found = re.search(r"\s(\d+(?:\.\d+)+)\s", _DRIVER.read_text())
    except OSError:
        found = None
    return found[1] if found else "unknown"
