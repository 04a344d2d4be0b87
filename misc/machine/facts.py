"""One line on the machine of a run: for the head of the log and below the final table."""

import os
import platform
import re
from pathlib import Path

import torch
import torchvision

from misc.machine import ranks
from misc.machine.device import Compute

_DRIVER = Path("/proc/driver/nvidia/version")
_DEVICES = ("/dev/nvidia0", "/dev/kfd")


def describe_machine(compute: Compute) -> str:
    """Describe device, precision, versions, the number of ranks and the host."""
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
