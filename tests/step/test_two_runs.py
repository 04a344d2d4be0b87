"""Two runs at once on one place: one of them ends in one line, and what is there is of one run."""

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import time

import pytest

from tests import forked
from tests.test_killed import last_line

PASSES = ("--train_cam_pass", "True", "--make_cam_pass", "True")
LONG = {"cam_num_epoches": 12, "demo_train_images": 8}


def words(folder, seed=0, **changes):
    return forked.arguments(folder, *PASSES, **{**LONG, "seed": seed, **changes})


def results(folder):
    """Give the bytes of weights and CAMs, and the settings by stage that their records name."""
    files = [*folder.glob("sess/demo/*.pth"), *folder.glob("result/demo/cam/*.npz")]
    records = [*folder.glob("sess/demo/*.pth.json"), *folder.glob("result/demo/cam/*.json")]
    assert len(files) == 9
    assert len(records) == 2
    content = {path.relative_to(folder): path.read_bytes() for path in files}
    stages = {p.relative_to(folder): json.loads(p.read_text())["stages"] for p in records}
    return content, stages


def wait_for(folder, text, process):
    log = folder / "result/demo/sample_train_eval.log"
    while process.is_alive() and not (log.exists() and text in log.read_text()):
        time.sleep(0.02)


@contextlib.contextmanager
def paused(process):
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Give the folders of runs of two seeds, each alone."""
    found = [tmp_path_factory.mktemp(f"alone{seed}") for seed in (0, 1)]
    for seed, folder in enumerate(found):
        assert forked.run(words(folder, seed), folder / "output") == 0
    return found


@pytest.fixture(scope="module")
def alone(folders):
    """Give the results of these runs."""
    found = [results(folder) for folder in folders]
    assert found[0] != found[1]
    return found


@pytest.fixture
def made(folders, tmp_path):
    """Give the folder of a run that is finished."""
    shutil.copytree(folders[0], tmp_path / "made")
    (tmp_path / "made/result/demo/sample_train_eval.log").unlink()  # it is waited for
    return tmp_path / "made"


@pytest.mark.parametrize(
    ("moment", "seeds", "overwrite"),
    [
        ("at once", (0, 1), True),
        pytest.param("at once", (0, 0), False, marks=pytest.mark.slow),
        ("train_cam step", (0, 1), False),
    ],
)
def test_one_of_two_runs_ends_in_one_line_and_leaves_the_others_results(
    alone, tmp_path, seeds, moment, overwrite
):
    outputs, runs = [tmp_path / "first", tmp_path / "second"], []
    for seed, output in zip(seeds, outputs, strict=True):
        runs.append(forked.start(words(tmp_path, seed, overwrite=overwrite), output))
        if moment != "at once" and len(runs) == 1:
            wait_for(tmp_path, moment, runs[0])
            # A busy machine may start the second run after the first has ended.
            os.kill(runs[0].pid, signal.SIGSTOP)
    if moment != "at once":
        forked.finish(runs[1])
        os.kill(runs[0].pid, signal.SIGCONT)
    ended = [forked.finish(each) for each in runs]
    assert sorted(ended) == [0, 2]
    winner, loser = ended.index(0), ended.index(2)
    host = rf"host {platform.node()}, process {runs[winner].pid}"
    who = rf"another run is (writing to|reading) it \({host}\)"
    assert re.search(f"^error: .*{who}; wait until it has ended", last_line(outputs[loser]))
    assert results(tmp_path) == alone[seeds[winner]]
    settings = json.loads((tmp_path / "result/demo/sample_train_eval.settings.json").read_text())
    assert settings["settings"]["seed"] == seeds[winner]
    curve = (tmp_path / "sess/demo/res50_cam.pth.curve.jsonl").read_text().splitlines()
    reports = [(line["step"], *line) for line in map(json.loads, curve)]  # losses, or measures
    assert len(reports) == len(set(reports))
    assert not list(tmp_path.rglob("*.lock"))


def test_the_lock_of_a_killed_run_is_taken_over_at_once(alone, tmp_path):
    first = forked.start(words(tmp_path, 1), tmp_path / "first")
    wait_for(tmp_path, "train_cam step", first)
    forked.kill(first)
    assert list(tmp_path.rglob("*.lock"))
    assert forked.run(words(tmp_path, 0, overwrite=True), tmp_path / "second") == 0
    assert results(tmp_path) == alone[0]
    assert not list(tmp_path.rglob("*.lock"))


def test_runs_of_other_stages_in_one_folder_do_not_wait_for_each_other(made):
    again = {**LONG, "seed": 1, "overwrite": True}
    training = forked.arguments(made, "--train_cam_pass", "True", **again)
    training = forked.start(training, made / "first")
    wait_for(made, "train_cam step", training)
    with paused(training):
        other = forked.arguments(made, "--cam_to_ir_label_pass", "True", **LONG)
        assert forked.run(other, made / "second") == 0
    assert forked.finish(training) == 0


def test_no_run_replaces_what_another_one_reads(made, alone):
    reader = forked.arguments(made, "--cam_to_ir_label_pass", "True", **LONG)
    labels = forked.start(reader, made / "first")
    wait_for(made, "cam_to_ir_label ...", labels)
    writer = words(made, seed=1, overwrite=True)
    with paused(labels):  # among its images
        assert forked.run(writer, made / "second") == 2
    who = rf"another run is reading it \(host {platform.node()}, process {labels.pid}\)"
    assert re.search(f"^error: .*/cam: {who}; wait until it", last_line(made / "second"))
    assert forked.finish(labels) == 0
    assert results(made) == alone[0]
    assert forked.run(writer, made / "second") == 0
    assert not list(made.rglob("*.lock"))


def test_what_a_run_has_finished_may_be_read_and_not_replaced(made):
    run = forked.arguments(made, *PASSES, "--cam_to_ir_label_pass", "True", **LONG)
    first = forked.start(run, made / "first")
    evaluation = forked.arguments(made, "--eval_cam_pass", "True", **LONG)
    wait_for(made, "cam_to_ir_label ...", first)
    again = words(made, overwrite=True, seed=1)
    with paused(first):
        assert forked.run(evaluation, made / "second") == 0
        assert forked.run(again, made / "third") == 2
    assert "another run is reading it" in last_line(made / "third")
    assert forked.finish(first) == 0
    assert not list(made.rglob("*.lock"))
