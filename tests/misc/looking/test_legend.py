"""The legend of coloured labels, from the command line."""

import numpy as np
from PIL import Image

import run_sample
from misc.files.images import read_label
from tests import foreign_cams, forked


def run(folder, *words, **changes):
    data = {"dataset": "folder", "data_root": folder / "photos", "labels": folder / "tags.csv"}
    return run_sample.main(forked.arguments(folder / "run", *words, **{**data, **changes}))


def photograph(folder, name, size):
    (folder / "photos").mkdir()
    for file, shape in ((f"{name}.png", size), ("other.png", (20, 20))):
        pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / file)
    (folder / "tags.csv").write_text(f"{name}.png,cat\nother.png,dog\n")


def cams(folder, name, size):
    (folder / "cams").mkdir()
    maps = np.zeros((1, *size), np.float32)
    maps[:, size[0] // 2 :] = 1
    content = {"keys": np.array([0]), "high_res": maps, "cam": maps[:, ::4, ::4]}
    foreign_cams.write(folder / f"cams/{name}.npy", content)


def test_an_image_named_as_the_legend_has_its_own_picture(tmp_path):
    photograph(tmp_path, "legend", (60, 80))
    cams(tmp_path, "legend", (60, 80))
    (tmp_path / "ids.txt").write_text("legend\n")
    made = {"cam_out_dir": tmp_path / "cams", "train_list": tmp_path / "ids.txt"}
    assert run(tmp_path, "--cam_to_ir_label_pass", "True", **made) == 0
    folder = tmp_path / "run/result/ir_label"
    label = read_label(folder / "legend.png")
    assert len(np.unique(label)) > 1
    assert (read_label(folder / "palette/legend.png") == label).all()
    assert run(tmp_path, "--cam_to_ir_label_pass", "True", conf_fg_thres=0.5, **made) == 2
