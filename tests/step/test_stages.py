import json
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import NETWORKS_OFF, arguments, articles, error_line, only

import run_sample
from misc.evaluate.measures import read_seconds, read_since
from misc.files.cam_files import read_cams
from misc.files.images import read_label
from misc.files.labels import load_instances
from misc.train.curves import read_curves
from net.resnet50_cam import Net
from tests import foreign_cams, forked
from voc12 import Dataset


@pytest.fixture
def copied(finished, tmp_path):
    """Give a copy of the finished run that a test may spoil."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_every_file_of_a_run_is_there_and_reads(finished):
    dataset = Dataset(finished / "VOC2012")
    ids = dataset.split("train")
    assert len(ids) == 6
    for image_id in ids:
        image = dataset.image(image_id)
        size = image.shape[:2]
        keys = np.flatnonzero(dataset.image_labels([image_id])[0])
        cams = read_cams(finished / "cam" / f"{image_id}.npz")
        instances = load_instances(finished / "ins_seg" / f"{image_id}.npz")
        assert cams.keys.tolist() == keys.tolist()
        assert cams.high_res.shape == (len(keys), *size)
        assert instances["mask"].shape[1:] == size
        assert set(instances["class"]) <= set(keys)
        allowed = {0, *(keys + 1).tolist()}
        relation = read_label(finished / "ir_label" / f"{image_id}.png")
        semantic = read_label(finished / "sem_seg" / f"{image_id}.png")
        coloured = read_label(finished / "sem_seg" / "palette" / f"{image_id}.png")
        assert relation.shape == semantic.shape == size
        assert set(np.unique(relation)) <= allowed | {255}
        assert set(np.unique(semantic)) <= allowed
        assert (coloured == semantic).all()


def test_every_stages_seconds_and_every_trainings_curves_are_kept(finished):
    seconds = read_seconds(finished / "details" / "seconds.jsonl")
    ran = {name for name in forked.default_stages() if f"{name}_pass" not in NETWORKS_OFF}
    assert set(seconds) == {*ran, "report"}
    assert min(seconds.values()) > 0
    assert read_curves(finished / "cam.pth.curve.jsonl").keys() == {
        "loss",
        "val_loss",
        "val_mAP",
    }
    assert read_curves(finished / "irn.pth.curve.jsonl").keys() == {"pos", "neg", "dp_fg", "dp_bg"}


def test_the_log_has_the_settings_at_its_head_and_the_table_at_its_end(finished):
    log = (finished / "run.log").read_text()
    assert "--cam_batch_size 3" in log.splitlines()[0]
    assert "| eval_sem_seg" in log
    assert "by --cam_eval_thres" in log
    assert "best --cam_eval_thres" in log
    assert "it is for analysis" in log


def test_the_cams_curve_meets_the_measure_where_its_threshold_was_used(finished):
    lines = read_since(finished / "metrics.jsonl", 0)
    found = {line["measure"]: line["value"] for line in lines if line["stage"] == "eval_cam"}
    curve = json.loads((finished / "details" / "eval_cam.json").read_text())["thresholds"]
    xs, ys = curve["lines"]["mIoU"]
    assert ys[xs.index(0.15)] == pytest.approx(found["mIoU"], abs=1e-5)
    assert ys[xs.index(curve["best"])] == max(ys)
    assert curve["used"] == 0.15
    # Components at the threshold that suits them, and beside it at the one that suits mIoU.
    xs, ys = curve["lines"]["component AP50"]
    assert found["component AP50"] == pytest.approx(max(ys), abs=1e-5)
    assert ys[xs.index(found["component threshold"])] == max(ys)
    at_miou = min(xs, key=lambda x: abs(x - found["best threshold"]))
    expected = pytest.approx(ys[xs.index(at_miou)], abs=1e-5)
    assert found["component AP50 at best mIoU"] == expected


def test_labels_are_made_and_reported_where_there_is_no_list_to_evaluate(copied):
    (copied / "some.txt").write_text(Dataset(copied / "VOC2012").split("train")[0])
    lists = {"infer_list": copied / "some.txt", "chainer_eval_set": "test"}
    shutil.rmtree(copied / "sem_seg")
    assert only("make_sem_seg", copied, **lists) == 0
    assert len(list((copied / "sem_seg").glob("*.png"))) == 1
    assert only("report", copied, **lists) == 0
    assert len(articles((copied / "report.html").read_text())) == 1


def test_every_label_folder_has_palette_pictures_and_a_legend(finished):
    image_id = Dataset(finished / "VOC2012").split("train")[0]
    for kind in ("ir_label", "ins_seg", "sem_seg"):
        folder = finished / kind / "palette"
        assert Image.open(folder / f"{image_id}.png").mode == "P"
        entries = ET.parse(folder / "legend.svg").findall("{http://www.w3.org/2000/svg}text")
        assert len(entries) == {"ir_label": 22, "ins_seg": 7, "sem_seg": 21}[kind]
    relation = read_label(finished / "ir_label" / f"{image_id}.png")
    assert (read_label(finished / "ir_label/palette" / f"{image_id}.png") == relation).all()
    found = load_instances(finished / "ins_seg" / f"{image_id}.npz")
    numbers = read_label(finished / "ins_seg/palette" / f"{image_id}.png")
    assert set(np.unique(numbers)) - {0} == set(range(1, (found["score"] > 0).sum() + 1))


def contents(folder):
    kinds = ("cam", "ir_label", "ins_seg", "sem_seg")
    return {
        path.relative_to(folder): path.read_bytes()
        for kind in kinds
        for path in sorted((folder / kind).rglob("*"))
        if path.is_file() and path.suffix != ".json"
    }


def test_two_runs_with_one_seed_give_the_same_files_whatever_their_workers(finished, tmp_path):
    assert run_sample.main(arguments(tmp_path, num_workers=2)) == 0
    assert contents(tmp_path) == contents(finished)


@pytest.mark.parametrize(
    ("missing", "stage", "maker"),
    [
        ("cam.pth", "make_cam", "train_cam_pass"),
        ("cam", "eval_cam", "make_cam_pass"),
        ("ir_label", "train_irn", "cam_to_ir_label_pass"),
        ("irn.pth", "make_ins_seg", "train_irn_pass"),
        ("sem_seg", "eval_sem_seg", "make_sem_seg_pass"),
    ],
)
def test_a_missing_input_names_the_flag_that_makes_it(copied, capsys, missing, stage, maker):
    path = copied / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert only(stage, copied) == 2
    assert f"--{maker} True" in error_line(capsys)


def test_weights_of_another_class_count_are_refused(copied, capsys):
    torch.save(Net(3, backbone="resnet18").state_dict(), copied / "cam.pth")
    assert only("make_cam", copied) == 2
    assert "classifier.weight has the shape (3, 512, 1, 1)" in capsys.readouterr().err


def test_a_corrupt_image_is_named_and_nothing_made_is_lost(copied, capsys):
    (broken,) = list((copied / "VOC2012" / "JPEGImages").glob("*000003.jpg"))
    broken.write_bytes(broken.read_bytes()[:200])
    shutil.rmtree(copied / "cam")
    assert only("make_cam", copied) == 2
    assert broken.name in error_line(capsys)
    assert len(list((copied / "cam").glob("*.npz"))) == 2


def test_cams_of_other_methods_are_taken_and_said_once(copied, capsys):
    number = foreign_cams.convert(copied / "cam", copied / "mine")
    changes = {"cam_out_dir": copied / "mine", "ir_label_out_dir": copied / "ir_label_of_mine"}
    assert only("eval_cam", copied, **changes) == 0
    assert only("cam_to_ir_label", copied, **changes) == 0
    said = capsys.readouterr().out
    assert said.count(f"--cam_out_dir {copied / 'mine'}: {number} files: ") == 2
    assert said.count("1 of the form 'cam + high_res: a map for each key'") == 2
    assert "not in the image's label" not in said
    for path in (copied / "ir_label").glob("*.png"):
        assert (read_label(path) == read_label(copied / "ir_label_of_mine" / path.name)).all()


def test_an_image_without_any_class_gets_an_all_background_label(copied):
    root = copied / "VOC2012"
    image_id = (root / "ImageSets/Segmentation/train.txt").read_text().split()[0]
    xml = root / "Annotations" / f"{image_id}.xml"
    text = xml.read_text()
    start, end = text.index("<object>"), text.rindex("</object>") + len("</object>")
    xml.write_text(text[:start] + text[end:])
    assert only("make_cam", copied) == 2  # its CAMs were made with another label
    for stage in ("make_cam", "cam_to_ir_label", "make_ins_seg", "make_sem_seg"):
        assert only(stage, copied, overwrite=True) == 0
    assert len(read_cams(copied / "cam" / f"{image_id}.npz").keys) == 0
    assert not read_label(copied / "ir_label" / f"{image_id}.png").any()
    assert not read_label(copied / "sem_seg" / f"{image_id}.png").any()
    assert len(load_instances(copied / "ins_seg" / f"{image_id}.npz")["score"]) == 0


def test_a_root_that_is_no_devkit_says_what_is_missing(tmp_path, capsys):
    assert run_sample.main(["--voc12_root", str(tmp_path), "--log_name", str(tmp_path / "l")]) == 2
    line = error_line(capsys)
    assert "--voc12_root" in line
    assert "JPEGImages" in line


def test_a_users_mistake_leaves_no_traceback_on_the_terminal(copied, capsys):
    assert only("make_sem_seg", copied, beta=8) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    assert "Traceback" in (copied / "run.log").read_text()


@pytest.mark.slow  # the documented --show is not
def test_show_draws_an_image_through_every_stage_that_has_run(copied, capsys):
    image_id = Dataset(copied / "VOC2012").split("train")[0]
    folder = copied / "show"
    assert run_sample.main(arguments(copied, "--show", image_id, show_dir=folder)) == 0
    whole = Image.open(folder / f"{image_id}.png").size
    assert whole[0] > whole[1]
    film = Image.open(folder / f"{image_id}.gif")
    assert film.n_frames > 5
    assert film.info["loop"] == 0
    assert (folder / f"{image_id}.gif").stat().st_size < 1.5e6
    (folder / f"{image_id}.gif").unlink()
    for name in ("cam", "ir_label", "ins_seg", "sem_seg"):
        shutil.rmtree(copied / name)
    assert run_sample.main(arguments(copied, "--show", image_id, show_dir=folder)) == 0
    assert Image.open(folder / f"{image_id}.png").size < whole
    assert not (folder / f"{image_id}.gif").exists()
    assert run_sample.main(arguments(copied, "--show", "nobody", show_dir=folder)) == 2
    assert "nobody" in capsys.readouterr().err


def test_the_report_shows_the_run_and_images_through_every_stage(finished):
    page = (finished / "report.html").read_text()
    images = articles(page)
    assert len(images) == 2
    assert set(images) <= set(Dataset(finished / "VOC2012").split("train"))
    for names in images.values():
        assert {"relation label", "boundary", "displacement", "semantic label"} <= set(names)
    assert all(f"<td>{stage}</td>" in page for stage in forked.default_stages()[:9])
    for title in ("by --cam_eval_thres", "train_cam: loss", "train_cam: mAP", "train_irn: dp_bg"):
        assert title in page
    assert re.search(r"semantic labels, train: IoU.*<td>background</td><td>0\.\d+</td>", page)
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_a_report_of_nothing_but_images_says_what_makes_the_rest(tmp_path):
    assert only("report", tmp_path) == 0
    page = (tmp_path / "report.html").read_text()
    assert "No results yet: train_cam, make_cam" in page
    assert re.findall(r'<section id="(\w+)">', page) == ["measures", "gallery"]
    for names in articles(page).values():
        assert names == ["image", "truth: objects", "truth: classes"]
