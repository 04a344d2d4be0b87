"""A sweep measures what the label stages and evaluations, run with each setting, would."""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import run_sample
from misc.evaluate import sweep
from misc.evaluate.measures import read_since
from misc.files.cam_files import write_cams
from tests import forked

RESULT = "result/demo"
MAKE = ("cam_to_ir_label", "train_irn", "train_cam", "make_cam")
LABELS = ("make_ins_seg", "make_sem_seg", "eval_ins_seg", "eval_sem_seg")


def run(folder, *passes, **changes):
    passes = [f"--{stage}_pass" for stage in passes]
    return run_sample.main(forked.arguments(folder, *passes, **changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give a run up to IRNet, once for this module, with CAMs that are nearly right."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert run(folder, *MAKE) == 0
    noise = np.random.default_rng(0)
    for path in (folder / RESULT / "cam").glob("*.npz"):
        root = folder / RESULT / "VOC2012"
        label = np.array(Image.open(root / "SegmentationClass" / f"{path.stem}.png"))
        keys = np.unique(label[(label > 0) & (label < 255)]).astype(np.int64) - 1
        maps = np.stack([(label == key + 1)[::8, ::8] for key in keys]).astype(np.float32)
        maps *= noise.uniform(0.3, 1, maps.shape)
        high, wide = (-(-side // 16) for side in label.shape)
        maps = functional.interpolate(torch.from_numpy(maps)[None], (high, wide), mode="area")
        write_cams(path, keys=keys, maps=[maps[0].numpy()], size=label.shape)
    return folder


@pytest.fixture
def copied(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def table_of(folder):
    """Give the rows of the table, each by the names of its columns."""
    text = (folder / RESULT / "sweep/sweep.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def measured(folder, names):
    """Give the last measures of these names, as the table writes them."""
    lines = read_since(folder / RESULT / "metrics.jsonl", 0)
    return {m: f"{v:.4f}" for m, v in ((x["measure"], x["value"]) for x in lines) if m in names}


@pytest.mark.parametrize(
    ("grid", "rows"),
    [
        ("sem_seg_bg_thres=0.2,0.4 beta=2,10 small_displacement=0.5,4", 8),
        ("ins_seg_split=True,False walk=True,False ins_seg_bg_thres=0.1,0.3", 8),
        ("ins_seg_score=peak,mean walk_background=0,4 ins_seg_min_area=0,0.1", 8),
        pytest.param("sem_seg_crf=True,False ins_seg_crf=True,False", 4, marks=pytest.mark.slow),
    ],
)
def test_each_row_is_what_the_stages_measure_with_its_settings(copied, grid, rows):
    assert run(copied, sweep=grid, num_workers=1) == 0
    found = table_of(copied)
    assert len(found) == rows
    assert any(float(row.get("AP25", 1)) > 0 for row in (found[0], found[-1]))
    assert (copied / RESULT / "sweep/sweep.svg").read_text().startswith("<?xml")
    names = [part.split("=")[0] for part in grid.split()]
    for row in (found[0], found[-1]):
        changes = {name: row[name] for name in names} | {"overwrite": True}
        assert run(copied, *LABELS, **changes) == 0
        measures = {name: row[name] for name in row.keys() - set(names)}
        assert measures
        assert measures == measured(copied, measures)


@pytest.mark.slow
def test_two_ranks_write_the_table_of_one(copied):
    words = forked.arguments(copied, sweep="beta=2,10")
    started = forked.start_ranks(words, copied / "output", 2)
    assert [forked.finish(process) for process in started] == [0, 0]
    found = table_of(copied)
    assert run(copied, sweep="beta=2,10", overwrite=True) == 0
    assert found == table_of(copied)


def test_only_the_labels_that_the_settings_shape_are_measured(copied):
    assert run(copied, sweep="ins_seg_score=mean,peak") == 0
    precisions = {"AP25", "AP50", "AP70", "AP75"}
    assert set(table_of(copied)[0]) == {"ins_seg_score", *precisions}
    assert run(copied, "make_sem_seg", sweep="beta=2,3", overwrite=True) == 0
    assert set(table_of(copied)[0]) == {"beta", "mIoU"}


def test_an_image_goes_once_through_the_network_and_labels_are_as_they_were(
    copied, monkeypatch, capsys
):
    calls = []
    original = sweep.open_network

    def counted(*given):
        model = original(*given)
        model.register_forward_pre_hook(lambda *_: calls.append(1))
        return model

    monkeypatch.setattr(sweep, "open_network", counted)
    before = {path for path in copied.rglob("*") if path.is_file()}
    assert run(copied, sweep="beta=2,5,10 sem_seg_bg_thres=0.1:0.4:0.1") == 0
    assert len(calls) == forked.TINY["demo_train_images"]
    written = {path for path in copied.rglob("*") if path.is_file()} - before
    names = ("sweep/sweep.md", "sweep/sweep.svg", "sweep/settings.json")
    names += ("sample_train_eval.sweep.settings.json",)
    assert written == {copied / RESULT / name for name in names}
    said = capsys.readouterr().out
    # Three walks for semantic labels, three for instances: thresholds take none.
    assert "12 settings, 4 images: each once through IRNet, 6 times through the walk" in said
    assert re.search(r"Best mIoU 0\.\d{4} at beta \d+\.0 sem_seg_bg_thres 0\.\d\.\n", said)
    assert re.search(r"Best AP50 \S+ at beta \d+\.0\.\n", said)
    assert "AP50 does not depend on sem_seg_bg_thres." in said
    assert "mIoU does not" not in said
    assert "Chosen on ground truth" in said
    assert run(copied, "report") == 0
    assert "--sweep, as in sweep.md" in (copied / RESULT / "report.html").read_text()


def test_scores_without_a_walk_or_a_split_are_made_once(copied, capsys):
    grid = "walk=True,False walk_radius=2,3 ins_seg_split=True,False small_displacement=1,2"
    assert run(copied, "make_ins_seg", sweep=grid, dry_run=True) == 0
    # Both radii with each of two splits and without one: six walks.
    assert "16 settings, 4 images: each once through IRNet, 6 times" in capsys.readouterr().out


def test_the_table_of_another_sweep_is_not_replaced_unasked(copied, capsys):
    given = {"sweep": "beta=2,10"}
    assert run(copied, **given) == 0
    assert run(copied, **given) == 0  # the same once more
    before = {p: p.read_bytes() for p in (copied / RESULT / "sweep").iterdir()}
    for changes, words, dry_run in (
        ({"cam_power": 2}, "--cam_power of make_sem_seg_labels was 1, now it is 2", True),
        ({"make_sem_seg_pass": True}, "now it is beta=2.0,10.0 of semantic labels", False),
    ):
        capsys.readouterr()
        assert run(copied, **given | changes, dry_run=dry_run) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith(f"error: {copied / RESULT}/sweep: made with other settings: ")
        assert words in error
        assert "pass --overwrite True to replace it, or name another --sweep_dir" in error
    assert {p: p.read_bytes() for p in (copied / RESULT / "sweep").iterdir()} == before
    assert run(copied, **given | changes, overwrite=True) == 0


def test_a_table_of_unknown_origin_is_never_replaced(copied, capsys):
    (copied / "mine").mkdir()
    (copied / "mine/sweep.md").write_text("precious")
    changes = {"sweep": "beta=2,10", "sweep_dir": copied / "mine", "overwrite": True}
    assert run(copied, **changes) == 2
    assert "replaced, even with --overwrite True; name another" in capsys.readouterr().err
    assert (copied / "mine/sweep.md").read_text() == "precious"


@pytest.mark.parametrize(
    ("changes", "passes", "words"),
    [
        ({}, ("make_ins_seg",), "shapes no labels of the chosen stages"),
        ({"cam_out_dir": "none"}, (), "no CAMs for this image"),
        ({"chainer_eval_set": "none.txt"}, (), "none.txt"),
    ],
)
def test_what_cannot_be_swept_is_one_line(copied, capsys, changes, passes, words):
    given = {"sweep": "sem_seg_bg_thres=0.2,0.3", **changes}
    assert run(copied, *passes, **given) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]
