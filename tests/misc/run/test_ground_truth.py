"""Which images have ground truth and CAMs, from the command line, on names without files."""

import time
import types
from pathlib import Path

import numpy as np
import pytest

import run_sample
from misc.files.dataset import Dataset
from misc.files.palette import voc_palette

IMAGES = 40_000


class Named(Dataset):
    """Names of images without files; the last of val has no ground truth."""

    name, class_names, palette = "named", ("thing",), voc_palette()

    def __init__(self, **lists):
        self.lists = lists

    def split(self, name_or_file):
        return self.lists[name_or_file]

    def image_path(self, image_id):
        return Path(image_id)

    def classes(self, image_id):
        return [0]

    def with_truth(self, ids, *, kinds=("semantic", "instance")):
        return [image_id for image_id in ids if image_id != f"val{IMAGES - 1:06d}"]

    def semantic_label(self, image_id):
        return np.zeros((8, 8), np.uint8)

    def instance_label(self, image_id):
        if not self.has_truth(image_id):
            raise FileNotFoundError(f"{image_id}.png: no such file")
        return np.zeros((0, 8, 8), bool), np.zeros(0, np.int64)


@pytest.fixture
def error_of(tmp_path, monkeypatch, capsys):
    """Give a function that runs on a data set, and returns the error that the run ends with."""

    def error_of(dataset, *words):
        module = types.ModuleType("named_images")
        module.from_config = lambda config: dataset
        monkeypatch.setitem(run_sample.sys.modules, "named_images", module)
        words = ["--dataset", "named_images", "--run_dir", str(tmp_path), *map(str, words)]
        assert run_sample.main([*words, "--num_workers", "0"]) == 2
        return capsys.readouterr().err

    return error_of


def test_one_missing_truth_of_thousands_is_told_in_seconds(error_of):
    lists = {name: [f"{name}{number:06d}" for number in range(IMAGES)] for name in ("train", "val")}
    words = ["--make_cocoann_pass", "True", "--supervision", "full"]
    start = time.process_time()
    error = error_of(Named(**lists), *words, "--train_list", "train", "--val_list", "val")
    assert time.process_time() - start < 10
    assert f"1 of {IMAGES} images have no ground truth" in error
    assert f"val{IMAGES - 1:06d}.png: no such file" in error


def error_of_cams(error_of, folder):
    two = Named(both=["x_000002", "y_000002"])
    words = ["--eval_cam_pass", "True", "--chainer_eval_set", "both", "--cam_out_dir", folder]
    return error_of(two, *words)


def test_one_file_of_cams_for_two_images_is_refused(error_of, tmp_path):
    np.save(tmp_path / "000002.npy", {"keys": np.array([0]), "high_res": np.ones((1, 9, 14))})
    error = error_of_cams(error_of, tmp_path)
    assert "000002.npy: is the only file for both 'x_000002' and 'y_000002'" in error


@pytest.mark.parametrize("name", ["a.NPY", "cam_of_a.npy", "a.npy.npz"])
def test_where_cams_are_missing_one_of_another_name_is_named(error_of, tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "README.txt").touch()
    assert f"({name} is there, and of no image" in error_of_cams(error_of, tmp_path)
    (tmp_path / "settings.json").touch()  # ours, of other images
    assert "is there, and of no image" not in error_of_cams(error_of, tmp_path)
