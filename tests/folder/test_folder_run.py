"""All stages from the command line on folders of photographs, on tiny networks."""

import re
import shutil

import numpy as np
import pytest
from photo_tree import export_demo, write_csv, write_image

import run_sample
from misc.evaluate.measures import read_since
from misc.files.cam_files import read_cams
from misc.files.images import read_label
from tests import forked
from tests.tiny_networks import tiny_detector_and_deeplab

SETTINGS = {
    **forked.FEW_STEPS,
    **forked.RATES,
    "dataset": "folder",
    "mask_rcnn_batch_size": 1,
    "walk_background": 0,
    "ins_seg_bg_thres": 0.05,
    "cam_scales": "1.0",
}
MEASURED = ("eval_cam", "eval_ins_seg", "eval_sem_seg", "eval_mask_rcnn", "eval_deeplab")


def arguments(folder, *more, **changes):
    data = {"data_root": folder / "photos", "labels": folder / "tags.csv"}
    return forked.arguments(folder / "run", *more, **{**SETTINGS, **data, **changes})


def run(folder, *more, **changes):
    with tiny_detector_and_deeplab():
        return run_sample.main(arguments(folder, *more, **changes))


def measures(folder):
    lines = read_since(folder / "run/result/metrics.jsonl", 0)
    return {(line["stage"], line["split"], line["measure"]): line["value"] for line in lines}


def log(folder):
    return (folder / "run/sample_train_eval.log").read_text()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Give a run of all stages on photographs and their tags."""
    folder = tmp_path_factory.mktemp("bare")
    export_demo(folder, 6)
    assert run(folder, report_pass=None) == 0
    return folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Give a run of all stages where three quarters of the photographs have masks."""
    folder = tmp_path_factory.mktemp("measured")
    ids = export_demo(folder, 12, masks=True)
    for path in sorted((folder / "masks").rglob("*.png"))[::4]:
        path.unlink()
    changes = {"masks": folder / "masks", "class_names": folder / "names.txt", "val_share": 0.3}
    assert run(folder, **changes) == 0
    return folder, ids, changes


def test_photographs_and_tags_become_masks_annotations_networks_and_the_report(bare):
    result = bare / "run/result"
    text = log(bare)
    assert all(f"{stage} ..." in text for stage in forked.default_stages())
    assert len(list((result / "ins_seg").glob("*.npz"))) == 5
    assert len(list((result / "sem_seg").glob("*.png"))) == 5
    assert len(list((result / "mask_rcnn").glob("*.npz"))) == 1
    assert len(list((result / "deeplab").glob("*.png"))) == 1
    assert (bare / "run/sess/mask_rcnn.pth").is_file()
    assert (bare / "run/sess/deeplab.pth").is_file()
    page = (result / "report.html").read_text()
    sections = re.findall(r'<section id="(\w+)">', page)
    assert sections == ["measures", "labels", "gallery", "training"]
    assert "<tr><th>stage</th><th>seconds</th></tr>" in page  # no columns of measures


def test_without_masks_each_evaluation_says_so_in_one_line_and_the_run_goes_on(bare):
    said = [line.split(" INFO ")[1] for line in log(bare).splitlines() if ": 0 of" in line]
    stages = [*MEASURED, "make_cocoann", "train_mask_rcnn", "train_deeplab"]
    assert sorted(line.partition(":")[0] for line in said) == sorted(stages)
    assert all("have ground truth (" in line for line in said)
    assert not measures(bare)
    assert not (bare / "run/result/instances_val_full.json").exists()


def test_where_masks_are_those_images_are_measured(measured):
    folder, _, _ = measured
    found = measures(folder)
    for key in (
        ("eval_cam", "train", "mIoU"),
        ("eval_cam", "train", "component AP50"),
        ("eval_sem_seg", "train", "mIoU"),
        ("eval_ins_seg", "train", "AP50"),
        ("eval_mask_rcnn", "val", "AP50"),
        ("eval_deeplab", "val", "mIoU"),
    ):
        assert 0 <= found[key] <= 1
    said = "eval_sem_seg: 6 of 8 images of --chainer_eval_set train have ground truth (semantic)"
    assert said in log(folder)


def test_networks_that_were_trained_on_measured_images_are_told_of(measured, tmp_path):
    folder, _, changes = measured
    assert "were trained on" not in log(folder)
    shutil.copytree(folder, tmp_path / "copy")
    passes = ("--eval_mask_rcnn_pass", "--eval_deeplab_pass")
    assert run(tmp_path / "copy", *passes, **changes | {"val_share": 0.9}) == 0
    said = [line for line in log(tmp_path / "copy").splitlines() if "were trained on" in line]
    assert len(said) == 2
    assert all("images of --val_list val were trained on (" in line for line in said)


def test_one_class_and_an_image_without_any(tmp_path):
    tags = {f"{place}/{n}.png": ["cell"] if n else [] for place in "ab" for n in range(3)}
    for seed, path in enumerate(tags):
        write_image(tmp_path / "photos" / path, (70, 80), seed)
    write_csv(tmp_path / "tags.csv", tags)
    off = {f"{name}_pass": False for name in ("train_mask_rcnn", "eval_mask_rcnn")}
    assert run(tmp_path, train_list="all", infer_list="all", **off) == 0
    for place in "ab":
        assert read_cams(tmp_path / f"run/result/cam/{place}_0.npz").keys.tolist() == []
        assert not read_label(tmp_path / f"run/result/sem_seg/{place}_0.png").any()
        assert read_cams(tmp_path / f"run/result/cam/{place}_1.npz").keys.tolist() == [0]


def test_253_classes_go_through_the_label_stages(tmp_path):
    tags = {f"{n}.png": [f"c{63 * n:03}", "c252"] for n in range(4)}
    for seed, path in enumerate(tags):
        write_image(tmp_path / "photos" / path, (40, 48), seed)
    (tmp_path / "names.txt").write_text("".join(f"c{n:03}\n" for n in range(253)))
    write_csv(tmp_path / "tags.csv", tags)
    stages = ("train_cam", "make_cam", "cam_to_ir_label", "train_irn", "make_ins_seg")
    passes = [f"--{stage}_pass" for stage in (*stages, "make_sem_seg", "make_cocoann", "report")]
    lists = {"train_list": "all", "infer_list": "all", "class_names": tmp_path / "names.txt"}
    assert run(tmp_path, *passes, **lists) == 0
    values = np.unique(read_label(tmp_path / "run/result/sem_seg/0.png"))
    assert set(values) <= {0, 1, 253}


def test_a_sweep_measures_each_kind_of_label_where_it_has_masks(measured, tmp_path, capsys):
    """As the evaluations do, whose measures its row of the run's own settings has."""
    folder, _, changes = measured
    shutil.copytree(folder, tmp_path / "copy")
    again = changes | {"masks": tmp_path / "copy/masks"}
    assert run(tmp_path / "copy", sweep="exp_times=1,2", **again) == 0
    table = (tmp_path / "copy/run/result/sweep/sweep.md").read_text()
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    names, values = ([cell.strip() for cell in line] for line in (lines[0], lines[2]))
    found = dict(zip(names, values, strict=True))
    known = measures(folder)
    assert found["mIoU"] == f"{known['eval_sem_seg', 'train', 'mIoU']:.4f}"
    assert found["AP50"] == f"{known['eval_ins_seg', 'train', 'AP50']:.4f}"
    said = "6 of 8 images of --chainer_eval_set train have ground truth"
    assert f"eval_sem_seg: {said} (semantic)" in log(tmp_path / "copy")
    assert f"eval_ins_seg: {said} (instance)" in log(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy/masks/instance")
    assert run(tmp_path / "copy", sweep="exp_times=1,2", **again, overwrite=True) == 0
    assert "AP50" not in (tmp_path / "copy/run/result/sweep/sweep.md").read_text()


@pytest.mark.parametrize("words", [(), ("--dry_run",)])
def test_a_sweep_with_nothing_to_measure_against_is_refused_before_it_starts(bare, capsys, words):
    assert run(bare, *words, sweep="exp_times=1,2") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "--chainer_eval_set train: none of its images has ground truth" in error
    assert "--sweep has nothing to measure against" in error
