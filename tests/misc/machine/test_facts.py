import os

import pytest
import torch

from misc.machine import facts as machine
from misc.machine.device import Compute

CPU = torch.device("cpu")


def test_the_machine_is_named_with_device_precision_versions_ranks_and_host():
    words = machine.describe_machine(Compute(device=CPU, precision="bf16"))
    assert words.startswith("cpu (")
    for part in ("precision bf16", f"torch {torch.__version__}", "1 rank", f"host {os.uname()[1]}"):
        assert part in words


def test_a_machine_without_a_gpu_has_nothing_to_explain(monkeypatch):
    monkeypatch.setattr(machine, "_DEVICES", ("/dev/no-such-device",))
    assert machine.unused_gpu(CPU) is None


@pytest.fixture
def with_gpu(monkeypatch, tmp_path):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(machine, "_DEVICES", (str(tmp_path / "nvidia0"),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_gpu_that_is_hidden_or_that_torch_has_no_code_for_is_explained(with_gpu, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in machine.unused_gpu(CPU)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.unused_gpu(CPU) == "CUDA_VISIBLE_DEVICES hides it"


def test_a_gpu_whose_driver_fails_is_explained_in_the_drivers_words(with_gpu, monkeypatch):
    def fail():
        raise RuntimeError("The NVIDIA driver on your system is too old\nand more")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", fail)
    assert machine.unused_gpu(CPU) == "The NVIDIA driver on your system is too old"
