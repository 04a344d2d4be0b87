"""Every stage from the command line on a small folder shaped like Cityscapes, on tiny networks."""

import json
import shutil

import city_tree
import numpy as np
import pytest
from city_tree import TEST, TRAIN, VAL, make_cityscapes
from PIL import Image

import run_sample
from misc.evaluate.measures import read_since
from misc.files.images import read_label
from misc.files.labels import load_instances
from tests import forked
from tests.tiny_networks import tiny_detector_and_deeplab

SETTINGS = {
    **forked.FEW_STEPS,
    "dataset": "cityscapes",
    "crf": "torch",
    "mask_rcnn_server_list": "test",
}


def run(folder, **changes):
    with tiny_detector_and_deeplab():
        settings = {**SETTINGS, "data_root": folder / "cityscapes", **changes}
        return run_sample.main(forked.arguments(folder / "run", **settings))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run all stages once."""
    folder = tmp_path_factory.mktemp("cityscapes")
    make_cityscapes(folder / "cityscapes")
    assert run(folder) == 0
    return folder


@pytest.fixture
def fresh(tmp_path):
    make_cityscapes(tmp_path / "cityscapes")
    return tmp_path


def test_all_stages_run_and_write_labels_in_the_data_sets_classes_and_colours(finished):
    result = finished / "run/result"
    for image_id in TRAIN:
        label = read_label(result / f"sem_seg/{image_id}.png")
        assert label.shape == city_tree.SIZE
        assert set(np.unique(label)) <= {0, 1, 3}  # person and car occur
        assert load_instances(result / f"ins_seg/{image_id}.npz")["mask"].shape[1:] == label.shape
        with Image.open(result / f"sem_seg/palette/{image_id}.png") as picture:
            assert picture.getpalette()[3:6] == [220, 20, 60]
    exported = json.loads((result / "instances_train.json").read_text())
    names = [category["name"] for category in exported["categories"]]
    assert (names[0], len(names)) == ("person", 8)


def test_the_data_sets_own_ap_is_noted_beside_vocs(finished):
    lines = read_since(finished / "run/result/metrics.jsonl", 0)
    found = {(line["stage"], line["split"], line["measure"]) for line in lines}
    for stage, split in (("eval_ins_seg", "train"), ("eval_mask_rcnn", "val")):
        for measure in ("AP50", "Cityscapes AP", "Cityscapes AP50"):
            assert (stage, split, measure) in found
    assert all(line["published"] is None for line in lines)  # the figure is of 500 images


def test_detections_of_test_are_exported_for_the_server(finished):
    (listed,) = (finished / "run/result/mask_rcnn_server/results").glob("*.txt")
    assert listed.stem == TEST[0]
    for line in listed.read_text().splitlines():
        name, label_id, score = line.split()
        assert set(np.unique(read_label(listed.parent / name))) <= {0, 255}
        assert int(label_id) in (24, 25, 26, 27, 28, 31, 32, 33)
        assert 0 < float(score) <= 1


def test_what_is_exported_is_of_this_list_alone(finished, tmp_path):
    """Files of an earlier, longer list are gone; those of the user stay."""
    shutil.copytree(finished, tmp_path / "copy")
    folder = tmp_path / "copy/run/result/mask_rcnn_server"
    mine = [folder / "results/mine.txt", folder / "results/masks/mine_0.png"]
    for ids in (VAL, VAL[:1]):
        (tmp_path / "list.txt").write_text("\n".join(ids))
        changes = {"mask_rcnn_server_list": tmp_path / "list.txt", "eval_mask_rcnn_pass": True}
        assert run(tmp_path / "copy", **changes) == 0
        assert {path.stem for path in folder.glob("results/*.txt")} - {"mine"} == set(ids)
        masks = {path.name.rpartition("_")[0] for path in folder.glob("results/masks/*.png")}
        assert masks - {"mine"} <= set(ids)
        for path in mine:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("mine")
    assert all(path.is_file() for path in mine)


def test_nineteen_classes_run_with_a_word_of_warning(fresh, capsys):
    assert run(fresh, cityscapes_classes=19, train_cam_pass=True, make_cam_pass=True) == 0
    log = (fresh / "run/sample_train_eval.log").read_text()
    assert log.count("no background") == 1
    assert run(fresh, cityscapes_classes=9, train_cam_pass=True) == 2
    assert "--cityscapes_classes 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "split", "value", "words"),
    [
        ("labelIds", "train", None, "have no annotation, the first is"),
        ("labelIds", "train", 77, "has the unknown label id 77; accepted are"),
        ("instanceIds", "val", None, "have no ground truth"),
    ],
)
def test_broken_input_is_one_line_before_the_first_stage(fresh, capsys, kind, split, value, words):
    image_id = city_tree.SPLITS[split][0]
    path = city_tree.path(fresh / "cityscapes", f"gtFine_{kind}", split, image_id)
    path.unlink()
    if value is not None:
        Image.fromarray(np.full(city_tree.SIZE, value, np.uint8)).save(path)
    assert run(fresh, dry_run=True) in (1, 2)
    said = "".join(capsys.readouterr())
    assert words in said
    assert "Traceback" not in said
