"""What shapes the results of a folder of photographs, and is noticed when it changes."""

import shutil

import numpy as np
import pytest
from photo_tree import write_csv, write_image, write_mask

import run_sample
from tests import forked
from tests.tiny_networks import tiny_detector_and_deeplab

SETTINGS = {
    **forked.FEW_STEPS,
    "dataset": "folder",
    "cam_batch_size": 1,
    "cam_scales": "1.0",
    "supervision": "full",
    "val_share": 0.2,
    "deeplab_batch_size": 1,
    "mask_rcnn_batch_size": 1,
}
TAGS = {f"frame{number}.bmp": ["car"] for number in range(4)}


def run(folder, stage, **changes):
    data = {
        "data_root": folder / "photos",
        "labels": folder / "tags.csv",
        "masks": folder / "masks",
    }
    words = forked.arguments(folder / "run", f"--{stage}_pass", **{**SETTINGS, **data, **changes})
    with tiny_detector_and_deeplab():
        return run_sample.main(words)


def box(left):
    mask = np.zeros((40, 48), np.uint8)
    mask[10:30, left : left + 10] = 1
    return mask


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give photographs with tags and masks, and CAMs and networks that learnt from these."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(TAGS):
        write_image(folder / "photos" / name, size=(40, 48), seed=seed)
        for kind in ("semantic", "instance"):
            write_mask(folder / "masks" / kind / name.replace("bmp", "png"), box(8))
    write_csv(folder / "tags.csv", TAGS)
    assert run(folder, "train_cam") == 0
    for stage in ("make_cam", "train_deeplab", "train_mask_rcnn"):
        assert run(folder, stage) == 0
    return folder


@pytest.fixture
def copied(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_photograph_that_is_replaced_by_one_of_as_many_bytes_is_another(copied, capsys):
    path = copied / "photos/frame1.bmp"
    size = path.stat().st_size
    write_image(path, size=(40, 48), seed=7)
    assert path.stat().st_size == size
    assert run(copied, "make_cam") == 2
    assert "the images or labels of --data_root, which make_cam read" in capsys.readouterr().err


@pytest.mark.parametrize(("stage", "kind"), [("deeplab", "semantic"), ("mask_rcnn", "instance")])
def test_masks_that_are_drawn_anew_are_another_training(copied, capsys, stage, kind):
    assert run(copied, f"train_{stage}") == 0
    assert "is already trained" in capsys.readouterr().out
    for path in (copied / "masks" / kind).glob("*.png"):
        write_mask(path, box(12))
    assert run(copied, f"train_{stage}") == 2
    assert f"--infer_list of train_{stage} was folder" in capsys.readouterr().err
    assert run(copied, f"train_{stage}", overwrite=True) == 0
    shutil.move(copied / "masks", copied / "moved")
    capsys.readouterr()
    assert run(copied, f"train_{stage}", masks=copied / "moved") == 0
    assert "is already trained" in capsys.readouterr().out
