import re
import shutil

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from tiny_run import arguments, articles, error_line, only

import run_sample
from misc.evaluate.measures import read_since
from misc.files.labels import load_instances, save_instances
from misc.run.stage import label_source_path
from misc.settings.config import Config
from misc.train.supervision import supervision_from
from step.make_cocoann import describe_image
from tests.tiny_networks import tiny_detector_and_deeplab
from voc12 import Dataset

CHEAP = {"deeplab_scales": "1.0", "deeplab_crf": False}
FIRST = "ins_seg/demo_000001.npz"  # instance labels of the first image
EVERY_KIND = {"supervision": "irn,cam,full", "deeplab_server_list": "val", **CHEAP}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train tiny networks on every kind of labels, once for this module."""
    folder = tmp_path_factory.mktemp("networks")
    with tiny_detector_and_deeplab():
        assert run_sample.main(arguments(folder, networks=True, **EVERY_KIND)) == 0
    return folder


def test_the_report_shows_the_networks_beside_what_they_learnt_from(trained):
    assert only("report", trained, report_images=4, **EVERY_KIND) == 0
    page = (trained / "report.html").read_text()
    images = articles(page)
    assert len(images) == 4
    last, names = list(images.items())[-1]
    assert last in Dataset(trained / "VOC2012").split("val")
    assert {"Mask R-CNN", "Mask R-CNN of CAMs", "DeepLab", "DeepLab of ground truth"} <= set(names)
    assert re.search(r"IoU 0\.\d+, of val</h3>", page)
    for title in ("train_mask_rcnn: mask", "train_deeplab (cam): loss", "DeepLab, val: IoU"):
        assert title in page


@pytest.fixture
def copied(finished, tmp_path):
    """Give a copy of the run without networks that a test may spoil."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def masks_by_image(path):
    """Read annotations with pycocotools: masks and categories by the image's name."""
    known = COCO(str(path))
    found = {image["file_name"]: [] for image in known.dataset["images"]}
    for annotation in known.dataset["annotations"]:
        name = known.imgs[annotation["image_id"]]["file_name"]
        found[name].append((known.annToMask(annotation), annotation["category_id"]))
    return known, found


def test_pycocotools_reads_the_annotations_of_the_pseudo_instances(trained):
    known, found = masks_by_image(trained / "instances_train.json")
    numbers = [annotation["id"] for annotation in known.dataset["annotations"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(found) == 6
    for name, instances in found.items():
        ours = load_instances(trained / "ins_seg" / name.replace(".jpg", ".npz"))
        whole = ours["score"] >= 1e-5
        assert [category - 1 for _, category in instances] == ours["class"][whole].tolist()
        for (mask, _), our_mask in zip(instances, ours["mask"][whole], strict=True):
            assert (mask == our_mask).all()


def test_polygons_outline_every_part_of_a_mask_and_fill_holes(copied, capsys):
    path, size = copied / "instances_train.json", load_instances(copied / FIRST)["mask"].shape[1:]
    masks = np.zeros((6, *size), np.uint8)
    masks[0, 5, 5] = 1
    masks[1, 7, 2:40] = 1
    masks[2, : size[0] // 2, -1] = 1
    cv2.ellipse(masks[3], (50, 40), (30, 12), 25, 0, 360, 1, -1)
    masks[4, 10:30, 10:30] = masks[4, 40:52, 5:60] = 1
    cv2.circle(masks[5], (50, 50), 20, 1, 9)
    found = {"score": np.ones(6), "mask": masks > 0, "class": np.arange(6)}
    save_instances(copied / FIRST, found)
    assert only("make_cocoann", copied) == 0
    as_runs = path.read_bytes()
    capsys.readouterr()
    assert only("make_cocoann", copied, coco_polygons=True) == 0
    assert re.search(
        r"[1-9]\d* of \d+ instances have holes, which their poly", capsys.readouterr().out
    )
    known = COCO(str(path))
    (image,) = (i for i in known.dataset["images"] if i["file_name"].startswith("demo_000001"))
    listed = known.loadAnns(known.getAnnIds(imgIds=[image["id"]]))
    assert [found["holes"] for found in listed] == [0, 0, 0, 0, 0, 1]
    assert [len(found["segmentation"]) for found in listed] == [1, 1, 1, 1, 2, 1]
    assert all(len(ring) >= 6 for found in listed for ring in found["segmentation"])
    for mask, annotation in zip(masks[:5] > 0, listed, strict=False):
        drawn = known.annToMask(annotation) > 0
        assert (mask & drawn).sum() >= 0.95 * (mask | drawn).sum()
    assert only("make_cocoann", copied) == 0
    assert path.read_bytes() == as_runs


def test_fragments_are_neither_exported_nor_learnt_from(trained, tmp_path):
    """METHOD section 6: as COCO annotations, detections of a score below 1e-5 are left out."""
    score = np.array([1, 0, 9e-6, 1.1e-5, 0.5], np.float32)
    mask = np.zeros((5, 20, 30), bool)
    mask[np.arange(5), np.arange(5)] = True
    labels = {"score": score, "mask": mask, "class": np.array([3, 4, 5, 6, 7])}
    save_instances(tmp_path / "a.npz", labels)
    config = Config(ins_seg_out_dir=str(tmp_path))
    supervision = supervision_from(config, Dataset(trained / "VOC2012"), "irn", "instance")
    size, records = describe_image(supervision, "a")
    assert size == (20, 30)
    assert [record["category_id"] - 1 for record in records] == [3, 6, 7]
    assert supervision.instances("a")["class"].tolist() == [3, 6, 7]


def test_every_kind_of_labels_trains_networks_of_its_own(trained):
    for network in ("mask_rcnn", "deeplab"):
        states = [
            torch.load(label_source_path(trained / f"{network}.pth", kind), weights_only=True)
            for kind in ("irn", "cam", "full")
        ]
        last = list(states[0])[-1]
        assert not torch.equal(states[0][last], states[1][last])
        assert not torch.equal(states[1][last], states[2][last])
        assert not list(trained.glob("*.checkpoint"))


def test_measures_name_the_split_and_the_supervision(trained):
    lines = read_since(trained / "metrics.jsonl", 0)
    found = {(line["stage"], line["split"], line["supervision"], line["measure"]) for line in lines}
    for kind in ("irn", "cam", "full"):
        for measure in ("AP25", "AP50", "AP70", "AP75", "COCO AP"):
            assert ("eval_mask_rcnn", "val", kind, measure) in found
        assert ("eval_deeplab", "val", kind, "mIoU") in found


def test_without_a_server_the_predictions_are_told(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Dataset, "pack", lambda self, folder, ids: None)
    with tiny_detector_and_deeplab():
        changes = {"deeplab_server_dir": tmp_path / "out", **EVERY_KIND, "supervision": "irn"}
        assert only("eval_deeplab", trained, **changes) == 0
    said = capsys.readouterr().out
    assert f"for the evaluation server: the predictions in {tmp_path / 'out'}" in said
    assert {path.stem for path in (tmp_path / "out").glob("demo*.png")} == {
        "demo_000007",
        "demo_000008",
    }


def test_the_tables_are_made_of_the_metrics_file_alone(trained, tmp_path, capsys):
    shutil.copy(trained / "metrics.jsonl", tmp_path / "metrics.jsonl")
    assert run_sample.main(arguments(tmp_path, "--tables", "True")) == 0
    text = (tmp_path / "TABLES.md").read_text()
    assert text == (trained / "TABLES.md").read_text()
    assert "| Mask R-CNN" in text
    assert text in capsys.readouterr().out
    assert not (tmp_path / "VOC2012").exists()


def test_tables_without_measures_name_the_stages_that_measure(tmp_path, capsys):
    assert run_sample.main(arguments(tmp_path, "--tables", "True")) == 2
    assert "--eval_cam_pass True" in error_line(capsys)


def no_instances(folder):
    for path in (folder / "ins_seg").glob("*.npz"):
        size = load_instances(path)["mask"].shape[1:]
        empty = {"score": np.zeros(0), "mask": np.zeros((0, *size), bool), "class": np.zeros(0)}
        save_instances(path, empty)


def test_images_without_an_instance_are_left_out_and_counted(copied, capsys):
    kept = dict(load_instances(copied / "ins_seg" / "demo_000001.npz"))
    no_instances(copied)
    kept |= {"score": np.ones(1), "class": np.zeros(1)}
    kept["mask"] = np.ones((1, *kept["mask"].shape[1:]), bool)
    save_instances(copied / "ins_seg" / "demo_000001.npz", kept)
    with tiny_detector_and_deeplab():
        assert only("train_mask_rcnn", copied, mask_rcnn_batch_size=2, mask_rcnn_steps=1) == 0
    said = capsys.readouterr().out
    assert "5 of 6 images have no instance and are left out" in said
    assert "batch size 2 is larger than the 1 training images; using 1" in said


def test_a_class_out_of_range_names_the_file(copied, capsys):
    paths = sorted((copied / "ins_seg").glob("*.npz"))
    path = next(path for path in paths if load_instances(path)["score"].max(initial=0) >= 1e-5)
    found = load_instances(path)
    found["class"][:] = 20
    save_instances(path, found)
    assert only("make_cocoann", copied) == 2
    assert f"{path}: has the class 20, accepted are 0 to 19" in error_line(capsys)
