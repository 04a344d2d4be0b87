"""Ranks wait for each other without limit, and a lost one is found, and named."""

import os
import re
import signal
import time

import pytest
import torch.distributed as dist

import run_sample
from misc.learning.samples import ClassificationSamples
from misc.machine import heartbeat, ranks
from tests import forked


def beat_fast():
    heartbeat.BEAT_SECONDS, heartbeat.SILENT_BEATS = 0.1, 30


def run_beating_fast(*words):
    beat_fast()
    return run_sample.main(list(words))


def run_with_a_spoilt_image(*words):
    def sample(self, index, rng):
        raise RuntimeError("Connection to the server of images: gloo, NCCL or what else")

    if os.environ["RANK"] == "1":
        ClassificationSamples.sample = sample
    return run_sample.main(list(words))


def first_works_for(seconds):
    beat_fast()
    ranks.start("cpu")
    assert ranks.on_first(lambda: time.sleep(seconds) or "done") == "done"
    ranks.stop()


def run_ranks(words, output, call, number=2):
    started = forked.start_ranks(words, output, number, call)
    return [forked.finish(process) for process in started]


def test_a_first_rank_may_work_for_longer_than_a_lost_one_is_waited_for(tmp_path):
    assert run_ranks([5], tmp_path / "output", first_works_for) == [0, 0]


def test_a_rank_that_stands_still_is_found_and_named(tmp_path):
    words = forked.arguments(tmp_path, "--train_cam_pass", "True", cam_num_epoches=100_000)
    first, second = forked.start_ranks(words, tmp_path / "output", 2, run_beating_fast)
    log = tmp_path / "result/demo/sample_train_eval.log"
    while first.is_alive() and not (log.exists() and "train_cam step" in log.read_text()):
        time.sleep(0.02)
    os.kill(second.pid, signal.SIGSTOP)
    try:
        assert forked.finish(first) == 2
    finally:
        forked.kill(second)
    error = (tmp_path / "output0").read_text()
    assert "error: rank 0: no heartbeat from rank 1 for 3 s" in error
    assert "no heartbeat from rank 1" in log.read_text()


def test_a_rank_that_stops_for_an_error_tells_the_others_and_its_error_comes_as_it_is(tmp_path):
    words = forked.arguments(tmp_path, "--train_cam_pass", "True")
    assert run_ranks(words, tmp_path / "output", run_with_a_spoilt_image) == [2, 1]
    own, others = ((tmp_path / f"output{rank}").read_text() for rank in (1, 0))
    assert re.search(r"^RuntimeError: Connection to the server of images", own, re.MULTILINE)
    assert "another process" not in own
    assert (
        "error: rank 0: another process of this run has stopped "
        "(rank 1: Connection to the server of images" in others
    )


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[/pytorch/gloo/gloo/transport/tcp/pair.cc:5] Connection closed by p"), True),
        (RuntimeError("[enforce fail at /gloo/gloo/transport/tcp/pair.cc:446] 4 vs 2"), False),
        (RuntimeError("[/pytorch/gloo/gloo/allreduce.cc:5] unknown reduction"), False),
        (RuntimeError("the data base is not there: Connection refused"), False),
        (
            dist.DistBackendError("NCCL error in: x.cpp:5, remote process exited, ncclRemoteError"),
            True,
        ),
        (dist.DistBackendError("NCCL error in: x.cpp:5, invalid usage, ncclInvalidUsage"), False),
        (dist.DistNetworkError("Connection reset by peer"), True),
        (ValueError("Connection closed"), False),
    ],
)
def test_a_lost_rank_is_told_from_other_errors(monkeypatch, error, lost):
    monkeypatch.setattr(ranks, "_together", lambda: True)
    assert ranks.is_lost_rank(error) == lost
    monkeypatch.undo()
    assert not ranks.is_lost_rank(error)  # one rank loses none
