"""A data set of one's own, in at most 45 lines, goes through every stage."""

from pathlib import Path

import pytest

import run_sample
from misc.evaluate.measures import read_since
from misc.settings.flags import read_config
from step import STAGES
from tests import forked, own_dataset
from tests.tiny_networks import tiny_detector_and_deeplab

SETTINGS = {
    "dataset": "tests.own_dataset",
    "pretrained": "none",
    "deeplab_scales": "1.0",
    "deeplab_crf": False,
    "mask_rcnn_batch_size": 1,
    "walk_background": 0,
    "ins_seg_bg_thres": 0.05,
    "num_workers": 1,
}


def test_all_stages_run_on_a_data_set_that_a_module_has(tmp_path):
    with tiny_detector_and_deeplab():
        assert run_sample.main(forked.arguments(tmp_path, **SETTINGS)) == 0
    log = (tmp_path / "sample_train_eval.log").read_text()
    assert all(f"{stage} ..." in log for stage in forked.default_stages())
    found = {line["stage"] for line in read_since(tmp_path / "result/metrics.jsonl", 0)}
    assert found == {stage.name for stage in STAGES if stage.name.startswith("eval_")}


def test_it_is_whole_in_45_lines_of_code():
    lines = Path(own_dataset.__file__).read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 45


def test_a_module_takes_the_preset_of_a_folder_and_needs_no_root():
    config = read_config(["--dataset", "my.own_data"])
    assert (config.dataset, config.preset, config.data_root) == ("my.own_data", "folder", None)


@pytest.mark.parametrize("name", ["my.nothing", "voc", "tests.forked", "coco"])
def test_a_module_that_is_none_is_one_line(tmp_path, capsys, name):
    assert run_sample.main(["--dataset", name, "--run_dir", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    reason = "a module of this program" if name == "coco" else "no module with from_config"
    assert line.startswith(f"error: --dataset {name}: {reason}")
    assert "accepted are voc12, coco14, coco17, cityscapes, folder, demo, or a module" in line
