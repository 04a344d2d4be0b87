"""The command line on folders shaped like the real VOC, whose truth is there for some images."""

import json
import re
import shutil
import sys
import tarfile

import pytest

import run_sample
from tests import forked, voc_shaped
from tests.tiny_networks import tiny_detector_and_deeplab

LABELS_OF_TRUTH = {"infer_list": "train_aug", "supervision": "full", "pretrained": "none"}


@pytest.fixture
def folder(voc_folder, tmp_path):
    """Give a folder in which the devkit and SBD lie as a user's do."""
    for name in ("VOCdevkit", "benchmark_RELEASE"):
        (tmp_path / name).symlink_to(voc_folder / name)
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Give a function that runs stages here; it gives the exit status and all that was said."""
    monkeypatch.chdir(folder)

    def run_stages(*stages, **changes):
        passes = {f"{stage}_pass": True for stage in stages}
        settings = {"voc12_root": "VOCdevkit/VOC2012", **changes, **passes}
        with tiny_detector_and_deeplab():
            status = run_sample.main(forked.arguments(".", **settings))
        return status, "".join(capsys.readouterr())

    return run_stages


def coco(folder, name):
    return json.loads((folder / f"result/instances_{name}.json").read_text())


def test_full_learns_instances_from_the_images_that_have_them(folder, run):
    status, said = run("train_cam", "train_mask_rcnn", "make_cocoann", **LABELS_OF_TRUTH)
    assert status == 0, said
    assert "4 of 7 images have ground truth" in said
    assert len(coco(folder, "train_aug_full")["images"]) == 4
    settings = json.loads((folder / "sess/mask_rcnn_full.pth.json").read_text())
    assert "voc12, 4 images" in json.dumps(settings)
    status, said = run("make_cocoann", **LABELS_OF_TRUTH, sbd_root="benchmark_RELEASE")
    assert status == 0, said
    assert "images have ground truth" not in said
    assert len(coco(folder, "train_aug_full")["images"]) == 7


@pytest.mark.parametrize(
    ("stages", "changes", "words"),
    [
        (["eval_cam"], {"chainer_eval_set": "test"}, "--chainer_eval_set test: 2 of 2 images"),
        (["make_cam", "eval_ins_seg"], {"chainer_eval_set": "train_aug"}, "train_aug: 3 of 7"),
        (["train_mask_rcnn"], {"val_list": "some.txt", "supervision": "full"}, "1 of 2 images"),
        (
            ["train_mask_rcnn"],
            {"infer_list": "sbd.txt", "supervision": "full"},
            "--infer_list sbd.txt --supervision full: 3 of 3 images have no ground truth",
        ),
        (["make_cam"], {"infer_list": "test"}, "2 of 11 images have no annotation, the first is"),
    ],
)
def test_truth_that_a_later_stage_will_lack_is_missed_before_the_first(
    folder, run, stages, changes, words
):
    (folder / "sbd.txt").write_text("\n".join(voc_shaped.SBD))
    (folder / "some.txt").write_text(f"{voc_shaped.VAL[0]}\n{voc_shaped.SBD[0]}\n")
    stages = ["train_cam", *stages]
    status, said = run(*stages, pretrained="none", **changes)
    assert status == 2
    assert words in said
    assert said.count("error: ") == 1
    assert f"{stages[0]} ..." not in said


def test_truth_of_semantic_labels_is_enough_where_no_instances_are_read(folder, run):
    changes = {"chainer_eval_set": "train_aug", "infer_list": "train_aug", "dry_run": True}
    stages = ("train_cam", "make_cam", "cam_to_ir_label", "train_irn", "make_sem_seg")
    status, said = run(*stages, "eval_sem_seg", pretrained="none", **changes)
    assert status == 0, said
    status, said = run(*stages, "make_ins_seg", "eval_ins_seg", pretrained="none", **changes)
    assert status == 2
    assert "--sbd_root" in said


def test_a_dry_run_reads_the_truth_of_sbd_too(folder, run, voc_folder):
    (folder / "benchmark_RELEASE").unlink()
    shutil.copytree(voc_folder / "benchmark_RELEASE", folder / "benchmark_RELEASE")
    path = folder / f"benchmark_RELEASE/dataset/inst/{voc_shaped.SBD[1]}.mat"
    path.write_bytes(path.read_bytes()[:200])
    changes = {**LABELS_OF_TRUTH, "sbd_root": "benchmark_RELEASE", "dry_run": True}
    status, said = run("train_cam", "train_mask_rcnn", **changes)
    assert status == 2
    assert f"{path.name}: not a readable .mat file" in said


def test_a_limited_run_takes_the_batch_that_it_can_fill(folder, run):
    big = {f"{name}_batch_size": 16 for name in ("cam", "irn", "mask_rcnn", "deeplab")}
    stages = ("train_cam", "make_cam", "cam_to_ir_label", "train_irn", "train_mask_rcnn")
    changes = {"limit": 3, "supervision": "full", "pretrained": "none"}
    status, said = run(*stages, "train_deeplab", **changes, **big)
    assert status == 0, said
    for name in big:
        network = name.removesuffix("_batch_size")
        assert re.search(rf"train_{network}\w*: batch size 16 is larger than the 3 training", said)
    status, said = run("train_cam", limit=3, pretrained="none", **big)
    assert "already trained with these settings" in said
    status, said = run("train_cam", limit=3, pretrained="none", cam_batch_size=2)
    assert status == 2
    assert "--cam_batch_size of train_cam was 16, now it is 2" in said


def test_images_for_the_evaluation_server_need_no_labels(folder, run):
    changes = {"supervision": "full", "deeplab_server_list": "test", "pretrained": "none"}
    status, said = run("train_cam", "train_deeplab", "eval_deeplab", **changes)
    assert status == 0, said
    with tarfile.open(folder / "result/server_full/results.tgz") as packed:
        inside = "results/VOC2012/Segmentation/comp6_test_cls"
        assert set(packed.getnames()) == {f"{inside}/{i}.png" for i in voc_shaped.TEST}


def test_a_class_list_in_place_of_a_list_of_ids_is_told(run):
    listed = "VOCdevkit/VOC2012/ImageSets/Main/cat_train.txt"
    status, said = run("train_cam", train_list=listed, pretrained="none")
    assert status == 2
    assert "5 of 5 ids have no image, the first is '2007_000032 -1'; a line is an id alone" in said


def test_tensorboard_that_is_not_installed_is_missed_before_the_first_stage(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    status, said = run("train_cam", "make_cam", tensorboard=True, pretrained="none")
    assert status == 2
    assert "pip install tensorboard" in said
    assert "train_cam ..." not in said
