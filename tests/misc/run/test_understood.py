"""What is understood of a data set whose truth lies on stored pixels is told, from outside."""

import shutil

import numpy as np
from PIL import Image

import run_sample
from misc.files.images import read_image, read_label, write_label
from tests import forked, voc_shaped

FIRST = voc_shaped.TRAIN[0]


def told(voc_folder, tmp_path, change):
    """Give the log of a dry run on a devkit that was changed."""
    shutil.copytree(voc_folder / "VOCdevkit", tmp_path / "VOCdevkit")
    root = tmp_path / "VOCdevkit/VOC2012"
    change(root)
    passes = [w for s in ("train_cam", "make_cam", "eval_cam") for w in (f"--{s}_pass", "True")]
    data = {"dataset": "voc12", "data_root": root, "dry_run": True, "pretrained": "none"}
    lists = dict.fromkeys(("train_list", "infer_list", "chainer_eval_set"), "train")
    assert run_sample.main(forked.arguments(tmp_path / "run", *passes, **data, **lists)) == 0
    return (tmp_path / "run/sample_train_eval.log").read_text()


def test_a_sound_devkit_is_told_and_only_of_classes_that_no_list_shows_is_warned(
    voc_folder, tmp_path
):
    text = told(voc_folder, tmp_path, lambda root: None)
    assert "voc12: 6 images, 20 classes: " in text
    assert not [word for word in ("EXIF", "contradicts", "every image") if word in text]
    elsewhere, nowhere = (line for line in text.splitlines() if "no image shows" in line)
    assert elsewhere.endswith(", but those of another list do")
    assert "horse" not in elsewhere
    assert "horse" in nowhere
    assert "another list" not in nowhere


def turn(root):
    for name in (FIRST, voc_shaped.SBD[0]):  # with truth, and without
        path = root / f"JPEGImages/{name}.jpg"
        picture = Image.fromarray(read_image(path))
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.save(path, exif=exif)


def test_a_rotated_image_with_truth_is_told(voc_folder, tmp_path):
    text = told(voc_folder, tmp_path, turn)
    words = "EXIF turns 1 of 4 images, as 2007_000032; they are read as they are stored, as their"
    assert words in text


def test_labels_of_another_program_that_contradict_the_images_are_told(voc_folder, tmp_path):
    root, mine = voc_folder / "VOCdevkit/VOC2012", tmp_path / "mine"
    words = forked.arguments(
        tmp_path / "run",
        *("--eval_sem_seg_pass", "True"),
        **{"dataset": "voc12", "data_root": root, "chainer_eval_set": "train"},
        sem_seg_out_dir=mine,
    )
    for moved, is_told in ((0, False), (1, True)):
        for image_id in voc_shaped.TRAIN:
            label = read_label(root / f"SegmentationClass/{image_id}.png")
            label = np.where(label == 255, 0, np.where(label > 0, label + moved, 0))
            write_label(mine / f"{image_id}.png", label.astype(np.uint8))
        assert run_sample.main(words) == 0
        text = (tmp_path / "run/sample_train_eval.log").read_text()
        said = f"--sem_seg_out_dir {mine}: what it holds contradicts the image-level labels, which"
        assert (said in text) == is_told
