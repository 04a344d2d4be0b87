"""A signal at any moment ends a run in one line; the same command goes on and ends the same."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run_sample
from misc.machine.signals import end_on_signals
from tests import forked
from tests.test_killed import assert_same, last_line

ROOT = Path(__file__).parent.parent
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
WORDS = {signal.SIGINT: "", signal.SIGTERM: " by SIGTERM", signal.SIGHUP: " by SIGHUP"}
STAGES = ("train_cam", "make_cam", "cam_to_ir_label")
PASSES = [word for stage in STAGES for word in (f"--{stage}_pass", "True")]


def as_a_command(*words):
    """Run as the script does, which is what signals are sent to."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    end_on_signals()
    return run_sample.main(list(words))


def assert_ended_by(number, status, output):
    assert status == STATUS[number]
    line = f"error: interrupted{WORDS[number]}; run the same command again to resume"
    assert last_line(output) == line


def assert_none_is_left(group):
    """No process of a group is left within seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process of the run lives on")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give a run that no signal ended."""
    folder = tmp_path_factory.mktemp("whole")
    assert forked.run(forked.arguments(folder, *PASSES), folder / "output") == 0
    (folder / "result/demo/metrics.jsonl").touch()
    return folder


@pytest.mark.parametrize(
    ("number", "stage"),
    [(signal.SIGINT, "settings"), (signal.SIGTERM, "train_cam"), (signal.SIGHUP, "make_cam")],
)
def test_a_signal_at_a_random_moment_of_a_stage_loses_nothing(whole, tmp_path, number, stage):
    words = forked.arguments(tmp_path, *PASSES, checkpoint_every=0, num_workers=1)
    output, log = tmp_path / "output", tmp_path / "result/demo/sample_train_eval.log"
    process = forked.start(words, output, call=as_a_command)
    while process.is_alive() and not (log.exists() and stage in log.read_text()):
        time.sleep(0.01)
    time.sleep(random.Random(number).uniform(0, 0.2))
    os.kill(process.pid, number)
    assert_ended_by(number, forked.finish(process, 10), output)
    assert_none_is_left(process.pid)
    assert forked.run(words, output) == 0
    (tmp_path / "result/demo/metrics.jsonl").touch()
    assert_same(tmp_path, whole)


def test_ctrl_c_reaches_the_loader_processes_of_a_training_too(tmp_path):
    words = forked.arguments(tmp_path, cam_num_epoches=1000, num_workers=1)
    process = forked.start(words, tmp_path / "output", call=as_a_command)
    log = tmp_path / "result/demo/sample_train_eval.log"
    while process.is_alive() and not (log.exists() and "train_cam step" in log.read_text()):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert_ended_by(signal.SIGINT, forked.finish(process, 10), tmp_path / "output")
    assert_none_is_left(process.pid)


def signal_while_writing(*words):
    """Run, and get a signal in the middle of writing a checkpoint."""
    import torch

    save, saved = torch.save, []

    def save_slowly(content, file):
        saved.append(content)
        if len(saved) == 2:
            file.write(b"half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        save(content, file)

    torch.save = save_slowly
    return as_a_command(*words)


def test_a_signal_while_a_checkpoint_is_written_is_no_full_disk(tmp_path):
    words = forked.arguments(tmp_path, "--train_cam_pass", "True", checkpoint_every=0)
    output = tmp_path / "output"
    process = forked.start(words, output, call=signal_while_writing)
    assert_ended_by(signal.SIGTERM, forked.finish(process, 60), output)
    assert forked.run(words, output) == 0
    assert "resuming from" in output.read_text()


def interrupt_in_the_writer(*words):
    """Run, and get Ctrl-C where torch's writer calls back into Python."""
    import torch

    save, saved = torch.save, []

    class Interrupting:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            if len(saved) == 2:
                raise KeyboardInterrupt
            return self.file.write(data)

        def flush(self):
            self.file.flush()

    def save_to(content, file):
        saved.append(content)
        save(content, Interrupting(file))

    torch.save = save_to
    return run_sample.main(list(words))


def test_an_interrupt_that_torchs_writer_hides_is_no_full_disk(tmp_path):
    words = forked.arguments(tmp_path, "--train_cam_pass", "True", checkpoint_every=0)
    assert forked.run(words, tmp_path / "output", call=interrupt_in_the_writer) == 130
    assert_ended_by(signal.SIGINT, 130, tmp_path / "output")


def blocks_signals(pid):
    """Tell whether a process has begun to wait for its signals in a thread."""
    mask = re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())[1]
    return int(mask, 16) >> (signal.SIGTERM - 1) & 1


def test_a_command_of_its_own_ends_by_a_signal_while_torch_is_imported(tmp_path):
    command = [sys.executable, "run_sample.py", *forked.arguments(tmp_path, num_workers=1)]
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        while process.poll() is None and not blocks_signals(process.pid):
            time.sleep(0.01)
        time.sleep(0.1)
        process.terminate()
        assert_ended_by(signal.SIGTERM, process.wait(10), output)


def ignoring_hangups(*words):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    end_on_signals()
    os.kill(os.getpid(), signal.SIGHUP)
    return run_sample.main(list(words))


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    words = forked.arguments(tmp_path, "--tables")
    assert forked.run(words, tmp_path / "output", call=ignoring_hangups) in (0, 2)


def test_ranks_that_wait_for_each_other_end_by_a_signal(tmp_path):
    started = forked.start_ranks([], tmp_path / "output", 2, wait_as_rank_1)
    for rank in range(len(started)):
        output = Path(f"{tmp_path / 'output'}{rank}")
        while not (output.exists() and "waiting" in output.read_text()):
            time.sleep(0.05)
    time.sleep(0.3)
    for process in started:
        os.kill(process.pid, signal.SIGTERM)
    assert [forked.finish(process, 10) for process in started] == [143, 143]
    told = [(tmp_path / f"output{n}").read_text() for n in (0, 1)]
    assert [len(re.findall("error: interrupted by SIGTERM", text)) for text in told] == [1, 0]


def wait_as_rank_1():
    from misc.machine import ranks

    end_on_signals()
    ranks.start("cpu")
    print("waiting", flush=True)
    if not ranks.is_first():
        ranks.wait()  # nobody comes
    time.sleep(60)
