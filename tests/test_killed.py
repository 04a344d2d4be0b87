"""A run that is killed at random moments, then given again, ends as one that was never killed."""

import json
import os
import random
import re
import resource
import shutil
import signal
import time

import pytest

import run_sample
from misc.files.atomic import is_temporary
from step import Stage
from tests import forked

# How often each stage is killed; training, which has most to lose, more often.
KILLS = {"train_cam": 2, "train_irn": 2, "train_mask_rcnn": 2}
FEWEST = 20

# What tells of the run itself, not of its result.
TOLD = {
    "sample_train_eval.log",
    "sample_train_eval.settings.json",
    "metrics.jsonl",
    "seconds.jsonl",
    "report.html",
}


def contents(folder):
    """Give the bytes of labels, weights and training curves, and each measure's last value."""
    files = {
        path.relative_to(folder): path.read_bytes()
        for place in (folder / "result", folder / "sess")
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name not in TOLD
        if not any(is_temporary(part) for part in (path, *path.parents))
    }
    lines = (folder / "result/demo/metrics.jsonl").read_text().splitlines()
    measures = {(m["stage"], m["measure"]): m["value"] for m in map(json.loads, lines)}
    return files, measures


def assert_same(folder, other):
    files, measures = contents(folder)
    expected_files, expected_measures = contents(other)
    assert list(files) == list(expected_files)
    assert [path for path in files if files[path] != expected_files[path]] == []
    assert measures == expected_measures


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give a run that was never killed, and the seconds of each of its stages."""
    folder = tmp_path_factory.mktemp("whole")
    assert forked.run(forked.arguments(folder), folder / "output") == 0
    log = (folder / "result/demo/sample_train_eval.log").read_text()
    seconds = dict(re.findall(r"^\| (\w+) .* ([\d.]+) +\|$", log, re.MULTILINE))
    assert list(seconds) == forked.default_stages()
    return folder, {name: float(value) for name, value in seconds.items()}


def die_in(stage, seconds, *words):
    """Run, and die so long after the stage has begun, or as it ends.

    Nobody handles the timer's signal, so that the kernel ends the process between any two
    instructions, as it does for `kill -9`.
    """
    run_stage = Stage.run

    def run(self, *given):
        if self.name == stage:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        run_stage(self, *given)
        if self.name == stage:
            os.kill(os.getpid(), signal.SIGKILL)

    Stage.run = run
    return run_sample.main(list(words))


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param((), marks=pytest.mark.slow, id="20 moments over all stages"),
        ("train_cam", "make_ins_seg_labels", "eval_sem_seg"),
    ],
)
def test_killed_at_any_moment_nothing_is_lost(whole, tmp_path, stages):
    expected, seconds = whole
    moments = random.Random(0)
    words = forked.arguments(tmp_path, checkpoint_every=0, num_workers=1)
    output, killed = tmp_path / "output", 0
    for delay in (0.1,) if stages else (0, 0.1, 0.3):  # while it starts and makes the demo data
        process = forked.start(words, output)
        time.sleep(delay)
        killed += forked.kill(process)
    for name in stages or seconds:
        kills = 1 if stages else KILLS.get(name, 1)
        for _ in range(kills):
            delay = moments.uniform(0, 1.5) * seconds[name] / kills
            process = forked.start([name, delay + 1e-6, *words], output, call=die_in)
            assert forked.finish(process) in (-signal.SIGALRM, -signal.SIGKILL)
            forked.kill(process)  # its loader processes
            killed += 1
    assert killed >= (1 + len(stages) if stages else FEWEST)
    assert forked.run(words, output) == 0
    assert_same(tmp_path, expected)


@pytest.fixture
def copied(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run", ignore=shutil.ignore_patterns("output"))
    return tmp_path / "run"


def fill_disk(limit, *words):
    """Run where no file may grow over `limit` bytes, which fails a write as a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return run_sample.main(list(words))


def last_line(output):
    text = output.read_text()
    assert "Traceback" not in text
    return re.split(r"[\r\n]+", text.strip())[-1]


@pytest.mark.parametrize(
    ("limit", "stage", "lost"),
    [
        (100_000, "train_irn", "sess/demo/res50_irn.pth"),
        (1100, "make_cam", "result/demo/cam/demo_000002.npz"),
    ],
)
def test_a_full_disk_stops_the_run_with_one_line(copied, whole, limit, stage, lost):
    (copied / lost).unlink()
    words = forked.arguments(copied, f"--{stage}_pass", "True", checkpoint_every=0)
    assert forked.run([limit, *words], copied / "output", call=fill_disk) == 2
    line = last_line(copied / "output")
    assert line.startswith("error: ")
    assert "cannot be written" in line
    assert forked.run(words, copied / "output") == 0
    assert_same(copied, whole[0])


def test_a_folder_that_cannot_be_written_stops_the_run_with_one_line(copied):
    words = forked.arguments(copied, "--make_cam_pass", "True", cam_out_dir="/dev/null/cam")
    assert forked.run(words, copied / "output") == 2
    assert re.match("error: .*/dev/null/cam", last_line(copied / "output"))
