"""All stages on a tiny COCO from the command line."""

import json
import shutil

import numpy as np
import pytest

import run_sample
from misc.evaluate.measures import read_since
from step import STAGES
from tests import forked
from tests.coco_shaped import ids_of, instances, make_coco, write_json
from tests.tiny_networks import tiny_detector_and_deeplab

SETTINGS = {
    "dataset": "coco17",
    "pretrained": "none",
    "cam_optimizer": "adamw",
    "cam_learning_rate": 1e-3,
    "irn_optimizer": "adamw",
    "irn_learning_rate": 1e-3,
    "mask_rcnn_learning_rate": 1e-3,
    "deeplab_scales": "1.0",
    "deeplab_crf": False,
}
LABELS = ("make_cam", "eval_cam", "cam_to_ir_label", "make_ins_seg", "eval_ins_seg")
LABELS += ("make_sem_seg", "eval_sem_seg", "make_cocoann")
MADE = ("cam/*.npz", "ir_label/*.png", "ins_seg/*.npz", "sem_seg/*.png", "instances_train.json")


def arguments(folder, root, *passes, **changes):
    words = [word for stage in passes for word in (f"--{stage}_pass", "True")]
    settings = {**SETTINGS, "data_root": root, **changes}
    return forked.arguments(folder, *words, **settings)


def run(*options, **changes):
    with tiny_detector_and_deeplab():
        return run_sample.main(arguments(*options, **changes))


def made(folder):
    """Give the contents of all labels."""
    found = {
        p.relative_to(folder): p.read_bytes() for n in MADE for p in folder.glob(f"result/{n}")
    }
    assert len(found) == 25
    return found


def measures(folder, offset=0):
    lines = read_since(folder / "result/metrics.jsonl", offset)
    return {(line["stage"], line["split"], line["measure"]): line["value"] for line in lines}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_coco(tmp_path_factory.mktemp("coco"))


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """Give a run of all stages, once for this module."""
    folder = tmp_path_factory.mktemp("run") / "run"
    assert run(folder, root, num_workers=1) == 0
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def test_every_stage_finishes_on_coco(finished):
    text = (finished / "sample_train_eval.log").read_text()
    for stage in STAGES:
        assert f"{stage.name} ..." in text
    assert len(made(finished)) == 4 * 6 + 1


def test_measures_are_over_81_labels_with_cocos_own_ap(finished):
    found = measures(finished)
    for key in (
        ("eval_cam", "train", "mIoU"),
        ("eval_sem_seg", "train", "mIoU"),
        ("eval_ins_seg", "train", "AP50"),
        ("eval_ins_seg", "train", "COCO AP"),
        ("eval_ins_seg", "train", "COCO AP50"),
        ("eval_mask_rcnn", "val", "COCO AP"),
        ("eval_deeplab", "val", "mIoU"),
    ):
        assert 0 <= found[key] <= 1
    details = json.loads((finished / "result/details/eval_sem_seg.json").read_text())
    assert np.shape(details["confusion"]) == (81, 81)
    assert len(details["images"]) == 6


def test_what_is_missing_is_made_again_byte_for_byte(copied, root):
    before = made(copied)
    for number, path in enumerate(sorted(before)):
        if number % 2:
            (copied / path).unlink()
    assert run(copied, root, *LABELS) == 0
    assert made(copied) == before


def test_two_ranks_make_the_labels_and_measures_of_one(copied, root, tmp_path):
    before, measured = made(copied), measures(copied)
    offset = (copied / "result/metrics.jsonl").stat().st_size
    for name in ("cam", "ir_label", "ins_seg", "sem_seg"):
        shutil.rmtree(copied / "result" / name)
    words = arguments(copied, root, *LABELS, "eval_deeplab", "eval_mask_rcnn")
    ranks = forked.start_ranks(words, tmp_path / "rank")
    assert [forked.finish(rank) for rank in ranks] == [0, 0]
    assert made(copied) == before
    again = measures(copied, offset)
    assert again == {key: measured[key] for key in again}
    assert ("eval_deeplab", "val", "mIoU") in again
    assert ("eval_mask_rcnn", "val", "COCO AP") in again


def test_coco_2014_is_read_with_its_own_settings(tmp_path):
    root = make_coco(tmp_path / "coco", year=2014)
    changes = {"dataset": "coco14", "preset": "coco14_rib"}
    assert run(tmp_path / "run", root, "train_cam", "make_cam", **changes) == 0
    assert {p.stem for p in (tmp_path / "run/result/cam").glob("*.npz")} == set(
        ids_of("train", 2014)
    )


def test_a_broken_json_is_one_line(tmp_path, capsys):
    root = make_coco(tmp_path / "coco")
    path = root / "annotations/instances_train2017.json"
    path.write_bytes(path.read_bytes()[:-300])
    assert run(tmp_path / "run", root) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: {path}: is cut short")


def test_a_train_list_without_a_class_stops_before_the_first_stage(tmp_path, capsys):
    root = make_coco(tmp_path / "coco")
    write_json(root, "train", instances("train") | {"annotations": []})
    for options in ((), ("dry_run",)):
        changes = dict.fromkeys(options, True)
        assert run(tmp_path / "run", root, "train_cam", **changes) == 2
        captured = capsys.readouterr()
        words = "--train_list train: none of its 6 images shows a class, and train_cam learns"
        assert words in (captured.out if options else captured.err)


def test_another_rule_of_the_truth_is_not_mixed_into_what_was_trained_on_it(copied, root, capsys):
    passes = ("train_deeplab",)
    assert run(copied, root, *passes, supervision="full") == 0
    assert run(copied, root, *passes, supervision="full", coco_truth="small_first") == 2
    error = capsys.readouterr().err
    assert "--infer_list of train_deeplab was" in error
    assert "truth json_order" in error
    assert "truth small_first" in error
    assert run(copied, root, *passes, coco_truth="small_first") == 0
