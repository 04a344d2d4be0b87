import os
import sys

import pytest
import torch

from misc.machine import device as device_module
from misc.machine.device import (
    Compute,
    allow_tf32,
    compute_of,
    memory_for,
    pick_device,
    resolve_precision,
)
from misc.settings.flags import read_config

CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"--device cuda: not available here; available: .*cpu"):
        pick_device("cuda")


def test_bf16_computes_in_bfloat16_and_fp32_does_not():
    device, x = torch.device("cpu"), torch.ones(2, 2)
    with Compute(device=device, precision="bf16").autocast():
        assert (x @ x).dtype == torch.bfloat16
    with Compute(device=device, precision="fp32").autocast():
        assert (x @ x).dtype == torch.float32
    assert resolve_precision(device, "auto") in ("fp32", "bf16")


def test_want_of_the_machines_memory_is_one_line():
    with (
        pytest.raises(OSError, match=r"^a: out of memory \(.*allocate 10{15} .*\); rest$"),
        memory_for("a", remedy="rest"),
    ):
        torch.empty(10**15, dtype=torch.uint8)


def test_tf32_is_named_and_off_unless_it_is_asked_for():
    assert resolve_precision(torch.device("cuda"), "tf32") == "tf32"
    found = r"--precision tf32: needs a CUDA device, this run is on cpu; accepted"
    with pytest.raises(ValueError, match=found):
        resolve_precision(torch.device("cpu"), "tf32")
    allow_tf32(True)
    allow_tf32(False)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_machine_is_named_with_device_precision_versions_ranks_and_host():
    words = device_module.describe_machine(Compute(device=CPU, precision="bf16"))
    assert words.startswith("cpu (")
    for part in ("precision bf16", f"torch {torch.__version__}", "1 rank", f"host {os.uname()[1]}"):
        assert part in words


def test_a_gpu_that_is_there_and_not_used_is_explained(monkeypatch, tmp_path):
    def fail():
        raise RuntimeError("The NVIDIA driver on your system is too old\nand more")

    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(device_module, "_DEVICES", (str(tmp_path / "nvidia0"),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "init", fail)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert device_module.unused_gpu(CPU) == "The NVIDIA driver on your system is too old"
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in device_module.unused_gpu(CPU)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device_module.unused_gpu(CPU) == "CUDA_VISIBLE_DEVICES hides it"
    monkeypatch.setattr(device_module, "_DEVICES", ("/dev/no-such-device",))
    assert device_module.unused_gpu(CPU) is None


@pytest.mark.parametrize(
    ("cores", "num_workers", "method", "expected"),
    [
        *((2, 2, "cam", True), (2, 3, "cam", True), (2, 1, "cam", False)),
        *((2, 2, "advcam", False), (1, 1, "cam", False), (4, 0, "cam", False)),
    ],
)
def test_workers_apply_networks_where_each_core_has_one(
    monkeypatch, cores, num_workers, method, expected
):
    monkeypatch.setattr(device_module, "usable_cores", lambda: cores)
    words = ["--device", "cpu", "--num_workers", str(num_workers), "--cam_method", method]
    assert compute_of(read_config(words)).in_workers == (expected and sys.platform == "linux")
