import gc
import sys
from dataclasses import replace

import pytest
import torch

from misc.machine.device import Compute
from misc.running import progress
from misc.running.workers import map_images
from misc.settings.flags import read_config
from step import STAGES

COMPUTE = Compute(device=torch.device("cpu"))


def test_a_bar_says_which_stage_of_how_many_it_is_in(capfd):
    with progress.stage(3, 15):
        list(map_images(["a"], str.upper, description="make_cam"))
    assert "3/15 make_cam" in capfd.readouterr().err
    list(map_images(["a"], str.upper, description="make_cam"))
    assert "3/15" not in capfd.readouterr().err


def test_every_stage_of_the_demo_has_its_time():
    assert set(progress.PROBES["demo"]) == {stage.name for stage in STAGES}


def test_the_demo_says_at_its_start_how_long_it_will_take(monkeypatch):
    monkeypatch.setattr(progress, "probe", lambda device: 60.0)
    monkeypatch.setitem(progress.PROBES, "demo", dict.fromkeys(progress.PROBES["demo"], 2.0))
    config = read_config([])
    assert (
        progress.outlook(config, STAGES, COMPUTE)
        == "15 stages, at most about 30 min on this machine"
    )
    assert progress.outlook(config, STAGES[:1], COMPUTE).startswith("1 stage, at most about 2 min")


@pytest.mark.parametrize("change", [{"demo_train_images": 8}, {"cam_num_epoches": 1}])
def test_a_demo_with_other_settings_says_no_time(change):
    config = replace(read_config([]), **change)
    assert progress.outlook(config, STAGES, COMPUTE) == "15 stages"


def test_settings_that_leave_the_work_as_it_is_keep_the_time(tmp_path):
    words = ["--run_dir", str(tmp_path), "--seed", "3", "--report_pass", "False"]
    assert "min" in progress.outlook(read_config(words), STAGES, COMPUTE)


def test_a_bar_whose_making_was_interrupted_ends_in_silence(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    monkeypatch.setattr(progress.tqdm, "_get_free_pos", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        progress.bar(total=1, initial=0, description="x", unit="image")
    gc.collect()
    assert told == []
