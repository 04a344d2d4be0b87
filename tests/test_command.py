"""What the command line says before anything runs, and what `main` returns."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import run_sample
from misc.machine import device
from misc.settings.cores import usable_cores

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("word", "status"), [("--help", 0), ("--version", 0), ("--nope", 2), ("--seed=x", 2)]
)
def test_main_returns_a_status_whatever_argparse_does(capsys, word, status):
    assert run_sample.main([word]) == status
    told = capsys.readouterr()
    assert told.err.startswith("error: ") if status else told.out


@pytest.mark.parametrize("argv", [["python"], []])
def test_main_needs_no_words_of_the_process(argv, monkeypatch):
    monkeypatch.setattr(sys, "argv", argv)
    assert run_sample.main(["--version"]) == 0


def test_closed_streams_are_no_error():
    code = f"exec {sys.executable} run_sample.py --version >&- 2>&-"
    assert subprocess.run(["sh", "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("policy", "told"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "")],
)
def test_torch_is_imported_after_the_waiting_of_its_threads_is_set(tmp_path, policy, told):
    code = "import os, sys\nsys.exit('spins ' + os.environ.get('GOMP_SPINCOUNT', ''))"
    (tmp_path / "torch.py").write_text(code)
    words = [sys.executable, "run_sample.py", "--dataset", "demo"]
    paths = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(words, cwd=ROOT, env=paths | policy, capture_output=True, text=True)
    assert ended.stderr == f"error: spins {told}\n"


@pytest.mark.parametrize(
    ("code", "status", "line"),
    [
        ("raise SystemExit('no data')", 1, "error: no data"),
        ("raise SystemExit(3)", 3, ""),
        ("raise KeyboardInterrupt", 130, "error: interrupted; run the same command again"),
    ],
)
def test_main_returns_a_status_whatever_a_plugged_in_module_does(
    tmp_path, monkeypatch, capsys, code, status, line
):
    (tmp_path / f"ends{status}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    words = ["--dataset", f"ends{status}", "--run_dir", str(tmp_path)]
    assert run_sample.main(words) == status
    assert capsys.readouterr().err.startswith(line)


@pytest.mark.parametrize(
    ("module", "error", "remedy"),
    [
        ("torch", "ModuleNotFoundError('No module', name='torch')", "-r requirements.txt"),
        ("cv2", "ImportError('libGL.so.1: no such file', name='cv2')", "opencv-python-headless"),
    ],
)
def test_a_library_that_is_not_installed_is_one_line(tmp_path, module, error, remedy):
    (tmp_path / f"{module}.py").write_text(f"raise {error}")
    command = [sys.executable, "run_sample.py", "--run_dir", str(tmp_path)]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True
    )
    assert ended.returncode == 2
    line = ended.stderr.decode().splitlines()[-1]
    assert line.startswith("error: ")
    assert remedy in line


def test_an_old_python_is_one_line():
    code = "import sys; sys.version_info = (3, 8, 1); sys.version = '3.8.1 (x)'; import run_sample"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert ended.returncode == 2
    assert ended.stderr.decode() == "error: Python 3.8.1: this program needs 3.11 or newer\n"
    # It comes to say so only if it can parse the file.
    ast.parse((ROOT / "run_sample.py").read_text(), feature_version=(3, 7))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_workers_are_as_many_as_cores_that_the_process_may_use():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from misc.settings.flags import read_config; print(read_config([]).num_workers)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert ended.stdout == b"1\n"


def test_a_containers_quota_limits_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(device, "usable_cores", lambda: 1)
    try:
        device.use_own_cores()
        assert torch.get_num_threads() == 1
        monkeypatch.setattr(device, "usable_cores", lambda: 64)
        device.use_own_cores()
        assert torch.get_num_threads() == 1  # what OMP_NUM_THREADS or torchrun asked for
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ({"sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
    ],
)
def test_a_containers_quota_counts(tmp_path, monkeypatch, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores
