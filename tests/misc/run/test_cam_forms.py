import dataclasses

import numpy as np
import pytest

from misc.run.cam_forms import log_forms, other_names
from misc.settings.flags import read_config


class Labelled:
    class_names = tuple("abcde")

    def with_labels(self, ids):
        return list(ids)

    def image_labels(self, ids):
        return np.array([[0, 0, 1, 0, 0]] * len(ids), np.float32)


@pytest.fixture
def folder(tmp_path):
    """Give a folder of three files of two forms."""
    maps = np.ones((1, 9, 14), np.float32)
    np.save(tmp_path / "x_000001.npy", {"keys": np.array([2]), "high_res": maps})
    np.save(tmp_path / "000002.npy", {"keys": np.array([2]), "high_res": maps})
    np.savez(tmp_path / "x_000003.npz", keys=np.zeros(0, np.int64))
    return tmp_path


def log_of(folder, caplog, *ids):
    config = dataclasses.replace(
        read_config(["--voc12_root", "x"]), cam_out_dir=str(folder), num_workers=0
    )
    with caplog.at_level("INFO"):
        log_forms(config, Labelled(), ids)
    return caplog.text


def test_one_file_of_two_images_is_refused(folder, caplog):
    with pytest.raises(ValueError, match=r"000002\.npy: is the only file for both 'x_0+2' and 'y"):
        log_of(folder, caplog, "x_000002", "y_000002")


@pytest.mark.parametrize("name", ["a.NPY", "cam_of_a.npy", "a.npy.npz"])
def test_where_files_are_missing_one_of_another_name_is_named(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "README.txt").touch()
    assert f"({name} is there, and of no image" in other_names(tmp_path, ["a.npz"])
    (tmp_path / "settings.json").touch()  # ours, of other images
    assert other_names(tmp_path, ["a.npz"]) == ""
