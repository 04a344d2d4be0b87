"""All stages on a tiny COCO from the command line; exports keep COCO's ids."""

import json

import numpy as np
import pytest

import run_sample
from coco import Dataset
from misc.evaluate.measures import read_since
from misc.files.images import write_label
from misc.files.labels import save_instances
from tests import forked
from tests.coco_shaped import (
    BARE,
    ids_of,
    instances,
    make_coco,
    name_of,
    official,
    official_precision,
    write_json,
)
from tests.tiny_networks import tiny_detector_and_deeplab

SETTINGS = {"dataset": "coco17", **forked.FEW_STEPS, **forked.RATES}


def run(folder, *passes, **changes):
    """Run stages in FOLDER/run on FOLDER/coco."""
    words = [f"--{stage}_pass" for stage in passes]
    settings = {**SETTINGS, "data_root": folder / "coco", **changes}
    with tiny_detector_and_deeplab():
        return run_sample.main(forked.arguments(folder / "run", *words, **settings))


def measures(folder):
    lines = read_since(folder / "run/result/metrics.jsonl", 0)
    return {(line["stage"], line["split"], line["measure"]): line["value"] for line in lines}


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Give a folder in which all stages ran, once for this module."""
    folder = tmp_path_factory.mktemp("coco")
    make_coco(folder / "coco")
    assert run(folder, num_workers=1, mask_rcnn_server_list="val") == 0
    return folder


@pytest.fixture
def root(tmp_path):
    return make_coco(tmp_path / "coco")


def annotations(root, split="train"):
    return root / f"annotations/instances_{split}2017.json"


def test_every_stage_finishes_on_coco(finished):
    text = (finished / "run/sample_train_eval.log").read_text()
    assert all(f"{stage} ..." in text for stage in forked.default_stages())
    for name in ("cam/{}.npz", "ir_label/{}.png", "ins_seg/{}.npz", "sem_seg/{}.png"):
        for image_id in ids_of("train"):
            assert (finished / "run/result" / name.format(image_id)).is_file()


def test_measures_are_over_81_labels_with_cocos_own_ap(finished):
    found = measures(finished)
    for key in (
        ("eval_sem_seg", "train", "mIoU"),
        ("eval_ins_seg", "train", "COCO AP"),
        ("eval_mask_rcnn", "val", "COCO AP"),
        ("eval_deeplab", "val", "mIoU"),
    ):
        assert 0 <= found[key] <= 1
    details = read(finished / "run/result/details/eval_sem_seg.json")
    assert np.shape(details["confusion"]) == (81, 81)
    assert len(details["images"]) == 6


def test_another_rule_of_the_truth_is_not_mixed_into_what_was_trained_on_it(finished, capsys):
    assert run(finished, "train_deeplab", supervision="full") == 0
    assert run(finished, "train_deeplab", supervision="full", coco_truth="small_first") == 2
    error = capsys.readouterr().err
    assert "--infer_list of train_deeplab was" in error
    assert "truth json_order" in error
    assert "truth small_first" in error
    assert run(finished, "train_deeplab", coco_truth="small_first") == 0


def test_a_broken_json_is_one_line(root, tmp_path, capsys):
    path = annotations(root)
    path.write_bytes(path.read_bytes()[:-300])
    assert run(tmp_path) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: {path}: is cut short")


def test_a_train_list_without_a_class_stops_before_the_first_stage(root, tmp_path, capsys):
    write_json(root, "train", instances("train") | {"annotations": []})
    for dry_run in (False, True):
        assert run(tmp_path, "train_cam", dry_run=dry_run) == 2
        words = "--train_list train: none of its 6 images shows a class, and train_cam learns"
        assert words in "".join(capsys.readouterr())


def test_exported_ground_truth_has_an_ap_of_1_against_the_official_json(root, tmp_path):
    assert run(tmp_path, "make_cocoann", supervision="full") == 0
    for split in ("train", "val"):
        path = tmp_path / f"run/result/instances_{split}_full.json"
        content, wanted = read(path), instances(split)
        assert {i["file_name"]: i["id"] for i in content["images"]} == {
            i["file_name"]: i["id"] for i in wanted["images"]
        }
        assert {c["id"]: c["name"] for c in content["categories"]} == {
            c["id"]: c["name"] for c in wanted["categories"]
        }
        official(path).info()
        for known in (annotations(root, split), path):
            assert official_precision(official(known), content["annotations"])[0] == 1


def test_labels_and_detections_for_a_server_have_cocos_ids(root, tmp_path):
    """Of ground truth in the place of what networks make: its AP is 1 then."""
    dataset = Dataset(root, year=2017)
    for image_id in (*ids_of("train"), *ids_of("val")):
        masks, classes = dataset.instance_label(image_id)
        found = {"score": np.ones(len(masks), np.float32), "mask": masks, "class": classes}
        save_instances(tmp_path / f"run/result/ins_seg/{image_id}.npz", found)
    assert run(tmp_path, "make_cocoann") == 0
    content = read(tmp_path / "run/result/instances_train.json")
    assert official_precision(official(annotations(root)), content["annotations"])[0] == 1
    packed = dataset.pack_instances(tmp_path / "run/result/ins_seg", ids_of("val"))
    assert official_precision(official(annotations(root, "val")), str(packed))[0] == 1


def test_two_lists_of_one_name_are_refused_before_anything_is_written(root, tmp_path, capsys):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "ids.txt").write_text("\n".join(ids_of(split)))
    lists = {"infer_list": tmp_path / "train/ids.txt", "val_list": tmp_path / "val/ids.txt"}
    assert run(tmp_path, "make_cocoann", supervision="full", **lists) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for words in ("instances_ids_full.json", "train/ids.txt", "val/ids.txt"):
        assert words in line
    assert not list(tmp_path.glob("run/result/*.json"))


def write_masks(folder, root, split, *, shift):
    """Write ready-made masks whose numbers are shifted; a class that leaves 1 to 80 is left out."""
    dataset = Dataset(root, year=2017)
    for image_id in ids_of(split):
        label = dataset.semantic_label(image_id).astype(np.int64)
        moved = np.where(label > 0, label + shift, 0)
        write_label(folder / f"{image_id}.png", moved.clip(0, 80).astype(np.uint8))


def test_masks_that_contradict_the_annotations_are_told_before_anything_is_measured(
    root, tmp_path, capsys
):
    write_masks(tmp_path / "masks", root, "train", shift=-1)
    write_masks(tmp_path / "run/result/sem_seg", root, "train", shift=0)
    assert run(tmp_path, "eval_sem_seg") == 0
    capsys.readouterr()
    assert run(tmp_path, "eval_sem_seg", coco_mask_dir=tmp_path / "masks") == 0
    told, _, measured = capsys.readouterr().out.partition("eval_sem_seg ...")
    assert "ground truth contradicts the image-level labels" in told
    assert "mIoU" in measured


def test_masks_of_val_alone_are_enough_to_measure_val(root, tmp_path):
    write_masks(tmp_path / "masks", root, "val", shift=0)
    write_masks(tmp_path / "run/result/sem_seg", root, "val", shift=0)
    for path in (root / "train2017").iterdir():
        path.unlink()
    lists = dict.fromkeys(("chainer_eval_set", "train_list", "infer_list"), "val")
    assert run(tmp_path, "eval_sem_seg", coco_mask_dir=tmp_path / "masks", **lists) == 0


def test_without_a_true_object_coco_ap_is_left_out_and_the_rest_recorded(finished, tmp_path):
    (tmp_path / "bare.txt").write_text(name_of("train", BARE))
    assert run(finished, "eval_mask_rcnn", val_list=tmp_path / "bare.txt") == 0
    assert not [m for _, split, m in measures(finished) if "bare" in split and "COCO" in m]
    log = (finished / "run/sample_train_eval.log").read_text()
    assert f"AP75 and COCO AP: the ground truth of {tmp_path}/bare.txt has no object" in log


def test_detections_for_the_server_and_predictions_have_cocos_ids(finished):
    folder, known = finished / "run/result", official(annotations(finished / "coco", "val"))
    results = read(folder / "mask_rcnn_server/detections.json")
    assert {each["image_id"] for each in results} <= set(known.imgs)
    assert {each["category_id"] for each in results} <= set(known.cats)
    photographs, weights = finished / "coco/val2017", finished / "run/sess/mask_rcnn.pth"
    words = ["--predict", photographs, "--run_dir", finished / "run", "--num_workers", 0]
    with tiny_detector_and_deeplab():
        assert run_sample.main([*map(str, words), "--mask_rcnn_weights_name", str(weights)]) == 0
    predicted = read(folder / "predict/mask_rcnn/instances.json")
    assert {c["id"]: c["name"] for c in predicted["categories"]} == {
        number: category["name"] for number, category in known.cats.items()
    }
