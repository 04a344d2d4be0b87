"""Networks of other shapes through the real command line."""

import pytest
import torch
from tiny_run import NETWORKS_OFF, arguments, error_line, only

import run_sample
from misc.files.cam_files import read_cams
from misc.files.images import read_label
from misc.measuring.measures import read_since

PLAIN = {"cam_network": "tests.plain_networks", "irn_network": "tests.plain_networks"}
REAL = {
    "cam_network": "net.resnet50_cam",
    "irn_network": "net.resnet50_irn",
    "backbone": "resnet18",
}
NO_REPORT = {"report_pass": False}


@pytest.fixture(scope="module")
def of_resnet18(tmp_path_factory):
    """Run every stage on ResNet-18, once for this module."""
    folder = tmp_path_factory.mktemp("resnet18")
    changes = {"cam_scales": "0.5", "deeplab_crf": False, **REAL, **NO_REPORT}
    assert run_sample.main(arguments(folder, networks=True, limit=2, **changes)) == 0
    return folder


def test_networks_of_another_shape_go_through_all_stages_up_to_labels(tmp_path):
    assert run_sample.main(arguments(tmp_path, **PLAIN, **NO_REPORT)) == 0
    weights = torch.load(tmp_path / "cam.pth", weights_only=True)
    assert weights["resnet50.2.0.weight"].shape == (20, 12, 3, 3)
    for path in (tmp_path / "sem_seg").glob("*.png"):
        assert (
            read_label(path).shape == read_cams(tmp_path / f"cam/{path.stem}.npz").high_res[0].shape
        )
    stages = {line["stage"] for line in read_since(tmp_path / "metrics.jsonl", 0)}
    assert {"eval_cam", "eval_ins_seg", "eval_sem_seg"} <= stages


def test_every_stage_runs_on_another_backbone(of_resnet18):
    cam, irn, detector, deeplab = (
        torch.load(of_resnet18 / f"{name}.pth", weights_only=True)
        for name in ("cam", "irn", "mask_rcnn", "deeplab")
    )
    assert cam["classifier.weight"].shape[1] == 512
    assert irn["fc_dp5.0.weight"].shape[1] == 512
    assert torch.equal(cam["resnet50.layer4.1.conv2.weight"], irn["resnet50.layer4.1.conv2.weight"])
    assert detector["backbone.body.layer4.1.conv2.weight"].shape == (512, 512, 3, 3)
    assert deeplab["aspp.0.weight"].shape[1] == 512
    assert deeplab["resnet50.layer4.1.conv2.weight"].shape == (512, 512, 3, 3)
    stages = {line["stage"] for line in read_since(of_resnet18 / "metrics.jsonl", 0)}
    assert {"eval_mask_rcnn", "eval_deeplab"} <= stages


@pytest.mark.parametrize("stage", ["make_cam", "make_sem_seg", "eval_mask_rcnn", "eval_deeplab"])
def test_weights_of_another_backbone_are_refused_by_both_names(
    of_resnet18, tmp_path, capsys, stage
):
    place = {f"{stage.removeprefix('make_').removeprefix('eval_')}_out_dir": tmp_path / "out"}
    changes = {**REAL, "backbone": "resnet50", "limit": 2}
    assert only(stage, of_resnet18, **changes, **place, **off(stage)) == 2
    line = error_line(capsys)
    assert "weights_name" in line
    assert "their backbone is resnet18, here it is resnet50" in line


def off(stage):
    return {f"{stage}_pass": True} if f"{stage}_pass" in NETWORKS_OFF else {}


def test_weights_are_not_continued_on_another_backbone(of_resnet18, capsys):
    changes = {**REAL, "backbone": "resnet50"}
    assert only("train_cam", of_resnet18, limit=2, **changes) == 2
    assert "backbone" in error_line(capsys)


def test_deeplab_takes_a_backbone_of_its_own(of_resnet18, tmp_path, capsys):
    """From scratch it is the classification network's, which is of another name."""
    changes = {**REAL, "deeplab_backbone": "resnet34", "limit": 2}
    changes["deeplab_weights_name"] = tmp_path / "deeplab.pth"
    assert only("train_deeplab", of_resnet18, **changes) == 2
    assert "their backbone is resnet18, here it is resnet34" in error_line(capsys)
