"""Pictures and the report of odd images and odd numbers, from the command line."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import run_sample
from misc.files.images import read_label
from misc.files.labels import save_instances
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


def instances(folder, name, size, count):
    masks = np.zeros((count, *size), bool)
    for number, mask in enumerate(masks):
        mask[:, number :: count + 1] = True
    found = {"score": np.linspace(1, 0.5, count), "mask": masks, "class": np.zeros(count, int)}
    place = folder / "run/result/ins_seg"
    place.mkdir(parents=True)
    save_instances(place / f"{name}.npz", found)


def cams(folder, name, size):
    (folder / "cams").mkdir()
    maps = np.zeros((1, *size), np.float32)
    maps[:, size[0] // 2 :] = 1
    content = {"keys": np.array([0]), "high_res": maps, "cam": maps[:, ::4, ::4]}
    foreign_cams.write(folder / f"cams/{name}.npy", content)


@pytest.mark.parametrize("size", [(5, 4000), (4000, 5), (1, 1)])
def test_an_image_of_any_shape_is_shown(tmp_path, size):
    photograph(tmp_path, "thin", size)
    instances(tmp_path, "thin", size, 1)
    assert run(tmp_path, "--show", "thin") == 0
    picture = Image.open(tmp_path / "run/result/show/thin.png")
    assert min(picture.size) > 100
    assert max(picture.size) < 4000


def test_a_legend_of_many_instances_names_some_and_counts_the_others(tmp_path):
    photograph(tmp_path, "many", (30, 300))
    instances(tmp_path, "many", (30, 300), 250)
    assert run(tmp_path, "--show", "many") == 0
    picture = Image.open(tmp_path / "run/result/show/many.png")
    assert picture.size[1] < 3000
    assert (np.asarray(picture.convert("L")) > 0).any(axis=1).all()


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


def test_the_report_draws_measures_that_have_no_value(tmp_path):
    """A class or a whole split without any object has no AP, and a loss may be negative."""
    photograph(tmp_path, "cat", (40, 60))
    result = tmp_path / "run/result"
    (result / "details").mkdir(parents=True)
    nothing, some = [None, None], [None, 0.5]
    curve = {"flag": "cam_eval_thres", "used": 0.1, "best": 0.5}
    thresholds = curve | {"lines": {"mIoU": [[0.1, 0.5], some], "AP50": [[0.1, 0.5], nothing]}}
    for stage, values in (("eval_cam", some), ("eval_ins_seg", nothing)):
        details = {"stage": stage, "split": "train", "AP50": values, "images": {"cat": None}}
        details |= {"IoU": [None, *values], "thresholds": thresholds}
        (result / f"details/{stage}.json").write_text(json.dumps(details))
    nan = {"supervision": "irn", "measure": "AP50", "value": float("nan"), "published": None}
    lines = [{"stage": stage, "split": "train", **nan} for stage in ("eval_cam", "eval_ins_seg")]
    (result / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = tmp_path / "run/sess/res50_cam.pth.curve.jsonl"
    curves.parent.mkdir()
    curves.write_text('{"step": 1, "loss": -2.5}\n{"step": 2, "loss": NaN}\n')
    assert run(tmp_path, "--report_pass", "True") == 0
    page = (result / "report.html").read_text()
    assert page.count("<td>–</td>") == 2
    rows = re.findall(r"<td>(background|cat|dog)</td><td>(.*?)</td><td>(.*?)</td>", page)
    assert rows == [("dog", "0.500", "0.500")]
    for title in ("eval_cam: by --cam_eval_thres", "train_cam: loss"):
        assert title in page
    assert run(tmp_path, "--tables", "True") == 0
    assert "–" in (result / "TABLES.md").read_text()


def test_without_masks_the_report_counts_the_labels_and_warns_of_odd_ones(tmp_path, capsys):
    """On the terminal, too; each warning names the classes, their images and the flag."""
    photograph(tmp_path, "cat", (40, 60))
    result = tmp_path / "run/result"
    (result / "sem_seg").mkdir(parents=True)
    (tmp_path / "cams").mkdir()
    for name, size, pixels in (("cat", (40, 60), 2160), ("other", (20, 20), 80)):
        label = np.zeros(size, np.uint8)
        label.reshape(-1)[:pixels] = ("cat", "other").index(name) + 1
        Image.fromarray(label).save(result / f"sem_seg/{name}.png")
    instances(tmp_path, "cat", (40, 60), 2)
    fragment = {"score": np.zeros(1), "mask": np.ones((1, 20, 20), bool), "class": np.ones(1, int)}
    save_instances(result / "ins_seg/other.npz", fragment)
    dotted, one = np.zeros((1, 40, 60), np.float32), np.zeros((1, 20, 20), np.float32)
    dotted[:, ::20, ::20] = one[:, 5:9] = 1
    for name, key, maps in (("cat", 0, dotted), ("other", 1, one)):
        content = {"keys": np.array([key]), "high_res": maps, "cam": maps[:, ::4, ::4]}
        foreign_cams.write(tmp_path / f"cams/{name}.npy", content)
    (tmp_path / "run/sess").mkdir()
    curve = '{"step": 1, "val_mAP": 0.5}\n{"step": 2, "val_mAP": 0.625}\n'
    (tmp_path / "run/sess/res50_cam.pth.curve.jsonl").write_text(curve)
    given = {"cam_out_dir": tmp_path / "cams", "infer_list": "all", "walk_background": 0}
    expected = [
        "labels flood over 80% of the image: cat in 1 of its 1 images; a higher "
        "--sem_seg_bg_thres or --ins_seg_bg_thres labels less",
        "CAMs are spread, with more than 3 peaks: cat in 1 of its 1 images; the classification "
        "network may need more --cam_num_epoches, or more images",
        "1 of 2 images have no instance, as all that was found is smaller than "
        "--ins_seg_min_area; a lower one keeps it",
    ]
    assert run(tmp_path, "--report_pass", "True", **given) == 0
    told = capsys.readouterr().out
    page = (result / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    for warning in expected:
        assert f"warning: {warning}\n" in told
        assert f"<p>Warning: {warning}.</p>" in page
    cells = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", page)]
    assert ["all", "2", "3.5", "2", "55% ± 35%", "2", "33%"] in cells
    assert ["dog", "1", "1.0", "1", "20% ± 0%", "0", ""] in cells
    assert "last val_mAP, on val: 0.625." in page
    assert page.count("<figure><figcaption>cat</figcaption>") == 1
    assert run(tmp_path, "--report_pass", "True", **given | {"walk_background": 8}) == 0
    assert "a lower --walk_background labels less" in capsys.readouterr().out
