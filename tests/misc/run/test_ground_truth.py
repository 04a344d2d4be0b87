"""Which images have ground truth, from the command line."""

import sys
import time
import types
from pathlib import Path

import numpy as np

import run_sample
from misc.files.dataset import Dataset
from misc.files.palette import voc_palette

IMAGES = 120_000


class Many(Dataset):
    """Names of images without files; the last of val has no ground truth."""

    name, class_names, palette = "many", ("thing",), voc_palette()

    def split(self, name_or_file):
        return [f"{name_or_file}{number:06d}" for number in range(IMAGES)]

    def image_path(self, image_id):
        return Path(image_id)

    def classes(self, image_id):
        return [0]

    def with_truth(self, ids, *, kinds=("semantic", "instance")):
        return [image_id for image_id in ids if image_id != f"val{IMAGES - 1:06d}"]

    def instance_label(self, image_id):
        if not self.has_truth(image_id):
            raise FileNotFoundError(f"{image_id}.png: no such file")
        return np.zeros((0, 8, 8), bool), np.zeros(0, np.int64)


def test_one_missing_truth_of_120_000_is_told_in_seconds(tmp_path, monkeypatch, capsys):
    module = types.ModuleType("tests.many_images")
    monkeypatch.setitem(sys.modules, "tests.many_images", module)
    module.from_config = lambda config: Many()
    words = ["--dataset", "tests.many_images", "--run_dir", str(tmp_path), "--num_workers", "0"]
    words += ["--make_cocoann_pass", "True", "--supervision", "full"]
    words += ["--train_list", "train", "--val_list", "val"]
    start = time.process_time()
    assert run_sample.main(words) == 2
    assert time.process_time() - start < 20
    error = capsys.readouterr().err
    assert f"1 of {IMAGES} images have no ground truth" in error
    assert f"val{IMAGES - 1}.png: no such file" in error
