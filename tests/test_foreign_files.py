"""Files of other programs and of odd sizes, on a folder shaped like VOC."""

import numpy as np
import pytest

import run_sample
from misc.files.images import write_label
from tests import voc_shaped
from tests.voc_shaped import TRAIN
from voc12 import Dataset


@pytest.fixture
def root(tmp_path):
    return voc_shaped.make_voc(tmp_path, augmented=False)


@pytest.fixture
def run(root, tmp_path, capsys):
    """Give a function that runs one stage; it gives the exit status and all that was printed."""

    def run_stage(stage, **changes):
        settings = {"voc12_root": root, "run_dir": tmp_path / "run", f"{stage}_pass": True}
        settings |= {"train_list": "train", "num_workers": 0, "device": "cpu", **changes}
        words = [w for name, v in settings.items() for w in (f"--{name}", str(v))]
        status = run_sample.main(words)
        return status, "".join(capsys.readouterr())

    return run_stage


def true_maps(root, image_id):
    """Give the classes of an image and, of each, a map that is 1 where its truth is."""
    label = Dataset(root).semantic_label(image_id)
    keys = np.setdiff1d(label, [0, 255]).astype(np.int64) - 1
    return keys, (label == keys[:, None, None] + 1).astype(np.float32)


def write_maps(root, folder, change):
    folder.mkdir()
    for image_id in TRAIN:
        np.save(folder / f"{image_id}.npy", change(*true_maps(root, image_id)))


def test_perfect_maps_of_another_program_measure_one(root, run, tmp_path):
    write_maps(root, tmp_path / "cams", lambda keys, maps: {"keys": keys, "attn_highres": maps})
    status, said = run("eval_cam", cam_out_dir=tmp_path / "cams")
    assert status == 0
    assert "4 of the form 'attn_highres: a map for each key'" in said
    assert "with mIoU 1.0000 (used: 0.15)" in said


def test_a_file_of_unknown_names_says_what_it_holds(root, run, tmp_path):
    write_maps(root, tmp_path / "cams", lambda keys, maps: {"keys": keys, "seeds": maps, "n": 3})
    status, said = run("eval_cam", cam_out_dir=tmp_path / "cams")
    assert status == 2
    assert f"{tmp_path / 'cams' / TRAIN[0]}.npy: cannot be read as CAMs" in said
    assert "n, seeds (" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda maps: maps.transpose(0, 2, 1), "its image 72 × 96 pixels; their sides are swapped"),
        (lambda maps: maps[:, ::24, :96].repeat(6, axis=2), "their shape is another"),
    ],
)
def test_maps_of_another_shape_are_refused(root, run, tmp_path, change, words):
    write_maps(
        root, tmp_path / "cams", lambda keys, maps: {"keys": keys, "high_res": change(maps).copy()}
    )
    status, said = run("eval_cam", cam_out_dir=tmp_path / "cams")
    assert status == 2
    assert f"{tmp_path / 'cams' / TRAIN[0]}.npy: its maps are " in said
    assert words in said


def test_maps_kept_as_pictures_measure_one_and_others_are_named(root, run, tmp_path):
    folder = tmp_path / "cams"
    for image_id in TRAIN:
        for class_id, values in zip(*true_maps(root, image_id), strict=True):
            write_label(folder / f"{image_id}_{class_id}.png", 255 * values)
    status, said = run("eval_cam", cam_out_dir=folder)
    assert status == 0
    assert "4 of the form '{class: map}: a map for each key'" in said
    assert "with mIoU 1.0000 (used: 0.15)" in said
    for path in folder.glob(f"{TRAIN[0]}_*"):
        path.rename(folder / f"cam_of_{path.name}")
    status, said = run("eval_cam", cam_out_dir=folder)
    assert status == 2
    assert f"(cam_of_{TRAIN[0]}_" in said


def test_each_picture_of_an_image_counts_for_what_is_made_of_it(root, run, tmp_path):
    folder = tmp_path / "cams"
    for image_id in TRAIN:
        for class_id, values in zip((3, 14), true_maps(root, image_id)[1][[0, 0]], strict=True):
            write_label(folder / f"{image_id}_{class_id}.png", 255 * values)
    assert run("cam_to_ir_label", cam_out_dir=folder)[0] == 0
    write_label(folder / f"{TRAIN[0]}_3.png", np.eye(72, 96))
    status, said = run("cam_to_ir_label", cam_out_dir=folder)
    assert status == 2
    assert f"holds results of another {TRAIN[0]}_14.png of --cam_out_dir" in said


def test_keys_that_seem_to_count_from_one_stop_no_run(root, run, tmp_path):
    write_maps(root, tmp_path / "cams", lambda keys, maps: {"keys": keys + 1, "high_res": maps})
    status, said = run("eval_cam", cam_out_dir=tmp_path / "cams")
    assert status == 0
    assert "4 of 4 files have classes that are not in the image's label" in said
    assert "these keys are the image's classes plus 1" in said


def test_a_file_name_is_as_long_as_a_disk_takes(tmp_path):
    for name in ("a" * 251, "é" * 125 + "a"):
        write_label(tmp_path / f"{name}.png", np.zeros((3, 4), np.uint8))
        assert [path.name for path in tmp_path.glob("*.png")] == [f"{name}.png"]
        (tmp_path / f"{name}.png").unlink()
    with pytest.raises(OSError, match="too long") as caught:
        write_label(tmp_path / f"{'a' * 252}.png", np.zeros((3, 4), np.uint8))
    assert "free space" not in str(caught.value)


def test_a_mat_file_that_is_cut_is_one_line(voc_folder, tmp_path):
    whole = voc_folder / f"benchmark_RELEASE/dataset/cls/{voc_shaped.SBD[0]}.mat"
    path = tmp_path / "SBD/cls" / f"{TRAIN[0]}.mat"
    path.parent.mkdir(parents=True)
    root = voc_shaped.make_voc(tmp_path, augmented=False)
    (root / "SegmentationClass" / f"{TRAIN[0]}.png").unlink()
    for length in (0, 100, 200, whole.stat().st_size - 9):
        path.write_bytes(whole.read_bytes()[:length])
        with pytest.raises(ValueError, match=rf"{TRAIN[0]}\.mat: not a readable \.mat"):
            Dataset(root, sbd_root=tmp_path / "SBD").semantic_label(TRAIN[0])
