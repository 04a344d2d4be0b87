"""What is exported keeps COCO's ids: it goes beside the official JSON without a table of names."""

import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import run_sample
from coco import Dataset
from misc.evaluate.measures import read_since
from misc.files.images import write_label
from misc.files.instance_files import save_instances
from tests import forked
from tests.coco_shaped import ids_of, instances, make_coco, write_json
from tests.tiny_networks import tiny_detector_and_deeplab


@pytest.fixture
def root(tmp_path):
    return make_coco(tmp_path / "coco")


def run(tmp_path, *words, dataset="coco17"):
    place = ["--data_root", str(tmp_path / "coco"), "--run_dir", str(tmp_path / "run")]
    return run_sample.main(["--dataset", dataset, *place, "--num_workers", "0", *words])


def official(root, split="train"):
    return quiet(COCO, root / f"annotations/instances_{split}2017.json")


def quiet(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments)


def average_precision(known, results):
    def compute():
        evaluation = COCOeval(known, known.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return evaluation.stats[0]

    return quiet(compute)


EXPORT = ("--make_cocoann_pass", "True", "--supervision", "full")


def test_exported_ground_truth_has_an_ap_of_1_against_the_official_json(root, tmp_path):
    assert run(tmp_path, *EXPORT) == 0
    for split in ("train", "val"):
        path = tmp_path / f"run/result/instances_{split}_full.json"
        content = json.loads(path.read_text())
        wanted = instances(split)
        assert {i["file_name"]: i["id"] for i in content["images"]} == {
            i["file_name"]: i["id"] for i in wanted["images"]
        }
        assert {c["id"]: c["name"] for c in content["categories"]} == {
            c["id"]: c["name"] for c in wanted["categories"]
        }
        known = quiet(COCO, path)
        quiet(known.info)
        assert average_precision(official(root, split), content["annotations"]) == 1
        assert average_precision(known, content["annotations"]) == 1


def test_labels_and_detections_for_a_server_have_cocos_ids(root, tmp_path):
    """Of ground truth in the place of what networks make: its AP is 1 then."""
    dataset = Dataset(root, year=2017)
    for image_id in (*ids_of("train"), *ids_of("val")):
        masks, classes = dataset.instance_label(image_id)
        found = {"score": np.ones(len(masks), np.float32), "mask": masks, "class": classes}
        save_instances(tmp_path / f"run/result/ins_seg/{image_id}.npz", found)
    assert run(tmp_path, "--make_cocoann_pass", "True") == 0
    content = json.loads((tmp_path / "run/result/instances_train.json").read_text())
    assert average_precision(official(root), content["annotations"]) == 1
    packed = dataset.pack_instances(tmp_path / "run/result/ins_seg", ids_of("val"))
    assert average_precision(official(root, "val"), str(packed)) == 1


def test_two_lists_of_one_name_are_refused_before_anything_is_written(root, tmp_path, capsys):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "ids.txt").write_text("\n".join(ids_of(split)))
    lists = ("--infer_list", str(tmp_path / "train/ids.txt"))
    lists += ("--val_list", str(tmp_path / "val/ids.txt"))
    assert run(tmp_path, *EXPORT, *lists) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "instances_ids_full.json" in line
    assert "train/ids.txt" in line
    assert "val/ids.txt" in line
    assert not list(tmp_path.glob("run/result/*.json"))


def write_masks(folder, root, split, *, shift):
    """Write ready-made masks whose numbers are shifted; a class that leaves 1 to 80 is left out."""
    dataset = Dataset(root, year=2017)
    for image_id in ids_of(split):
        label = dataset.semantic_label(image_id).astype(np.int64)
        moved = np.where(label > 0, label + shift, 0)
        write_label(folder / f"{image_id}.png", moved.clip(0, 80).astype(np.uint8))


MEASURE = ("--eval_sem_seg_pass", "True")


def test_masks_that_contradict_the_annotations_are_told_before_anything_is_measured(
    root, tmp_path, capsys
):
    write_masks(tmp_path / "masks", root, "train", shift=-1)
    write_masks(tmp_path / "run/result/sem_seg", root, "train", shift=0)
    assert run(tmp_path, *MEASURE) == 0
    capsys.readouterr()
    assert run(tmp_path, *MEASURE, "--coco_mask_dir", str(tmp_path / "masks")) == 0
    told, _, measured = capsys.readouterr().out.partition("eval_sem_seg ...")
    assert "ground truth contradicts the image-level labels" in told
    assert "mIoU" in measured


def test_masks_of_val_alone_are_enough_to_measure_val(root, tmp_path):
    write_masks(tmp_path / "masks", root, "val", shift=0)
    write_masks(tmp_path / "run/result/sem_seg", root, "val", shift=0)
    for path in (root / "train2017").iterdir():
        path.unlink()
    words = ("--coco_mask_dir", str(tmp_path / "masks"), "--chainer_eval_set", "val")
    lists = ("--train_list", "val", "--infer_list", "val")
    assert run(tmp_path, *MEASURE, *words, *lists) == 0


def test_without_a_true_object_coco_ap_is_left_out_and_the_rest_recorded(root, tmp_path):
    write_json(root, "val", instances("val") | {"annotations": []})
    stages = ("train_cam", "train_mask_rcnn", "eval_mask_rcnn")
    passes = [word for stage in stages for word in (f"--{stage}_pass", "True")]
    words = forked.arguments(
        tmp_path / "run",
        *passes,
        dataset="coco17",
        data_root=root,
        supervision="full",
        pretrained="none",
        mask_rcnn_server_list="val",
    )
    with tiny_detector_and_deeplab():
        assert run_sample.main(words) == 0
    lines = read_since(tmp_path / "run/result/metrics.jsonl", 0)
    assert not [line for line in lines if line["measure"].startswith("COCO")]
    log = (tmp_path / "run/sample_train_eval.log").read_text()
    assert "COCO AP is left out: no image of --val_list val has an object" in log
    results = json.loads(
        (tmp_path / "run/result/mask_rcnn_server_full/detections.json").read_text()
    )
    known = official(root, "val")
    assert {each["image_id"] for each in results} <= set(known.imgs)
    assert {each["category_id"] for each in results} <= set(known.cats)
    predict = ["--predict", str(root / "val2017"), "--run_dir", str(tmp_path / "run")]
    predict += ["--supervision", "full", "--num_workers", "0", "--mask_rcnn_weights_name"]
    with tiny_detector_and_deeplab():
        assert run_sample.main([*predict, str(tmp_path / "run/sess/mask_rcnn_full.pth")]) == 0
    predicted = json.loads((tmp_path / "run/result/predict/mask_rcnn/instances.json").read_text())
    assert {c["id"]: c["name"] for c in predicted["categories"]} == {
        number: category["name"] for number, category in known.cats.items()
    }
