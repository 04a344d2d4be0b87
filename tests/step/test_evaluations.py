"""The evaluations from the command line, on labels and truth that are drawn here."""

import json
import re
import warnings

import numpy as np
import pytest
from PIL import Image

import run_sample
from misc.files.labels import save_instances

STAGES = ("eval_cam", "eval_ins_seg", "eval_sem_seg")
SIZE = (20, 30)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Give a folder of two photographs of one dog each, with truth, CAMs and labels."""
    monkeypatch.chdir(tmp_path)
    for folder in ("p", "cam", "sem", "ins", "m/semantic", "m/instance"):
        (tmp_path / folder).mkdir(parents=True)
    dog = np.zeros(SIZE, np.uint8)
    dog[5:15, 5:25] = 1
    for name in "ab":
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(f"p/{name}.png")
        for kind in ("semantic", "instance"):
            Image.fromarray(dog).save(f"m/{kind}/{name}.png")
        np.save(f"cam/{name}.npy", {0: dog.astype(np.float32)})
        Image.fromarray(dog).save(f"sem/{name}.png")
        found = {"mask": dog[None] > 0, "score": np.ones(1), "class": np.zeros(1, np.int64)}
        save_instances(f"ins/{name}.npz", found)
    (tmp_path / "t.csv").write_text("path,classes\na.png,dog\nb.png,dog\n")
    return tmp_path


def run(*words):
    data = "--dataset folder --data_root p --labels t.csv --masks m --chainer_eval_set all"
    places = "--sem_seg_out_dir sem --ins_seg_out_dir ins --cam_out_dir cam --num_workers 0"
    return run_sample.main([*data.split(), *places.split(), *words])


def evaluate(*stages):
    return run(*(word for stage in stages for word in (f"--{stage}_pass", "True")))


def measures(place):
    lines = (place / "result/metrics.jsonl").read_text().splitlines()
    return {(x["stage"], x["measure"]): x["value"] for x in map(json.loads, lines)}


def test_labels_that_are_the_truth_have_full_measures(place):
    assert evaluate(*STAGES) == 0
    found = measures(place)
    assert found["eval_sem_seg", "mIoU"] == found["eval_ins_seg", "AP75"] == 1
    assert found["eval_cam", "best mIoU"] == found["eval_cam", "component AP50"] == 1


def test_suggested_thresholds_stay_between_0_and_1(place, capsys):
    """All thresholds up to 0.99 suit the drawn CAMs: the first is the best."""
    assert run("--eval_cam_pass", "True", "--suggest_thresholds", "True") == 0
    words = "suggested: --cam_eval_thres 0.01 --conf_fg_thres 0.16 --conf_bg_thres 0.01"
    assert words in capsys.readouterr().out


def test_instances_of_equal_scores_are_measured_in_ten_orders_and_in_the_reversed_list(place):
    """Of two labels with score 1 the second alone is right: AP is 0.25, 0.5 where it is first."""
    wrong = {"mask": np.ones((1, *SIZE), bool), "score": np.ones(1), "class": np.zeros(1, int)}
    save_instances("ins/a.npz", wrong)
    assert evaluate("eval_ins_seg") == 0
    found = {measure: value for (_, measure), value in measures(place).items()}
    seconds_first = (found["AP50"] - 0.25) / 0.25
    assert 0 < seconds_first < 1
    assert found["AP50 deviation"] == pytest.approx(
        0.25 * (seconds_first * (1 - seconds_first)) ** 0.5
    )
    assert found["AP50 of reversed list"] == 0.5


def test_a_split_without_any_object_is_measured_as_far_as_it_can_be(place, capsys):
    for path in place.glob("m/*/*.png"):
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(path)
    assert evaluate(*STAGES) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"eval_ins_seg: no AP25 and AP50 and", out)) == 1
    assert "NaN" not in (place / "result/metrics.jsonl").read_text()
    found = measures(place)
    assert ("eval_sem_seg", "mIoU") in found
    assert not [name for _, name in found if "AP" in name]
    assert run("--tables", "True") == 0
    capsys.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert run("--report_pass", "True") == 0
    assert not caught
    assert "warning" not in "".join(capsys.readouterr())
    assert ": AP50<" not in (place / "result/report.html").read_text()


@pytest.mark.parametrize(
    ("stage", "spoil", "message"),
    [
        ("eval_sem_seg", {"size": (10, 15)}, "sem/b.png: is 15 × 10 pixels, but its ground truth"),
        ("eval_sem_seg", {"label": 7}, "sem/b.png: has the value 7; accepted are 0"),
        ("eval_sem_seg", {"label": 255}, "sem/b.png: has the value 255; accepted are 0"),
        ("eval_ins_seg", {"size": (10, 15)}, "ins/b.npz: is 15 × 10 pixels, but its ground truth"),
        ("eval_ins_seg", {"class": 1}, "ins/b.npz: has the class 1; accepted are 0 to 0"),
        ("eval_ins_seg", {"class": -1}, "ins/b.npz: has the class -1; accepted are 0 to 0"),
    ],
)
def test_a_label_of_another_form_is_one_line_that_names_its_file(
    place, capsys, stage, spoil, message
):
    size = spoil.get("size", SIZE)
    label = np.full(size, spoil.get("label", 1), np.uint8)
    Image.fromarray(label).save("sem/b.png")
    found = {"mask": label[None] > 0, "score": np.ones(1)}
    save_instances("ins/b.npz", found | {"class": np.array([spoil.get("class", 0)])})
    assert evaluate(stage) == 2
    (line,) = [x for x in capsys.readouterr().err.split("\n") if x.startswith("error: ")]
    assert message in line
    assert not (place / "result/metrics.jsonl").exists()


def test_components_are_reported_at_the_threshold_that_suits_them(place):
    """A weak bridge joins two dogs: mIoU wants it in the label, the components want it out."""
    dogs, objects = np.zeros((2, *SIZE), np.uint8)
    dogs[5:15, 2:28], objects[5:15, 2:28] = 1, 1
    objects[5:15, 15:28] = 2
    cam = dogs * np.float32(0.9)
    cam[:, 14:16] *= 0.3
    for name in "ab":
        Image.fromarray(dogs).save(f"m/semantic/{name}.png")
        Image.fromarray(objects).save(f"m/instance/{name}.png")
        np.save(f"cam/{name}.npy", {0: cam})
    assert evaluate("eval_cam") == 0
    found = {measure: value for (_, measure), value in measures(place).items()}
    assert found["best threshold"] < 0.25 < found["component threshold"]
    assert found["component AP50"] > found["component AP50 at best mIoU"]
