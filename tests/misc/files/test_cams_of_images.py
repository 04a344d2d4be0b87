"""Which file has an image's CAMs, from the command line; the images themselves have no files."""

import sys
import types

import numpy as np
import pytest

import run_sample
from tests import own_dataset


class TwoImages(own_dataset.Dataset):
    def split(self, name_or_file):
        return ["x_000002", "y_000002"]


@pytest.fixture
def error_of(tmp_path, monkeypatch, capsys):
    """Give a function that evaluates the CAMs of the test's folder, and returns the error."""

    def error_of():
        module = types.ModuleType("two_images")
        module.from_config = lambda config: TwoImages()
        monkeypatch.setitem(sys.modules, "two_images", module)
        words = ["--dataset", "two_images", "--run_dir", str(tmp_path), "--num_workers", "0"]
        words += ["--eval_cam_pass", "True", "--cam_out_dir", str(tmp_path)]
        assert run_sample.main(words) == 2
        return capsys.readouterr().err

    return error_of


def test_one_file_of_cams_for_two_images_is_refused(error_of, tmp_path):
    np.save(tmp_path / "000002.npy", {"keys": np.array([0]), "high_res": np.ones((1, 9, 14))})
    assert "000002.npy: is the only file for both 'x_000002' and 'y_000002'" in error_of()


@pytest.mark.parametrize("name", ["a.NPY", "cam_of_a.npy", "a.npy.npz"])
def test_where_cams_are_missing_one_of_another_name_is_named(error_of, tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "README.txt").touch()
    assert f"({name} is there, and of no image" in error_of()
    (tmp_path / "settings.json").touch()  # ours, of other images
    assert "is there, and of no image" not in error_of()
