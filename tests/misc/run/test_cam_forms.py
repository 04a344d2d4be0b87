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


def test_files_are_counted_once_by_their_form(folder, caplog):
    said = log_of(folder, caplog, "x_000001", "x_000002", "x_000003")
    counted = "3 files: 2 of the form 'high_res: a map for each key'; 1 of the form 'no class'"
    assert said.count(counted) == 1
    assert "label" not in said


def test_nothing_is_said_of_what_make_cam_has_made_or_will_make(folder, caplog):
    assert log_of(folder, caplog, "x_000009") == ""
    (folder / "settings.json").write_text("{}")
    assert log_of(folder, caplog, "x_000001") == ""


def test_classes_outside_the_images_label_are_warned_of_with_an_example(folder, caplog):
    np.save(folder / "x_000001.npy", {"keys": np.array([3]), "cam": np.ones((1, 3, 4))})
    said = log_of(folder, caplog, "x_000001", "x_000002")
    assert "1 of 2 files have classes that are not in the image's label" in said
    assert "for example x_000001: keys [3], label [2]" in said


@pytest.mark.parametrize(
    "content",
    [
        {0: np.zeros((9, 14)), 3: np.ones((9, 14))},
        {3: np.ones((9, 14))},
        {"keys": np.array([0, 3]), "high_res": np.ones((2, 9, 14))},
    ],
)
def test_keys_that_are_the_labels_plus_one_are_warned_of(tmp_path, caplog, content):
    ids = [f"a{number}" for number in range(20)]
    for image_id in ids:
        np.save(tmp_path / f"{image_id}.npy", content)
    np.save(tmp_path / "a7.npy", {2: np.ones((9, 14))})
    words = log_of(tmp_path, caplog, *ids)
    assert "19 of 20 files have classes that are not in the image's label, for example a0" in words
    assert "label [2] (from 0); these keys are the image's classes plus 1: if they count" in words


def test_keys_that_are_now_and_then_one_too_much_are_warned_of(tmp_path, caplog):
    ids = [f"a{number}" for number in range(4)]
    for image_id, key in zip(ids, (3, 3, 2, 1), strict=True):
        np.save(tmp_path / f"{image_id}.npy", {key: np.ones((9, 14))})
    assert "3 of 4 files have classes" in log_of(tmp_path, caplog, *ids)


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
