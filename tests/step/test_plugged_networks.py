"""Networks of other shapes through the real command line."""

import shutil
import sys

import pytest
import torch
from tiny_run import NETWORKS_OFF, arguments, error_line, only

import run_sample
from misc.evaluate.measures import read_since
from misc.files.cam_files import read_cams
from misc.files.images import read_label
from misc.machine.device import Compute
from misc.train.curves import read_curves
from misc.train.inference import measure_crops
from net.resnet50_cam import Net
from step.train_cam import validation_measures
from tests import tiny_networks
from voc12 import Dataset

PLAIN = {"cam_network": "tests.plain_networks", "irn_network": "tests.plain_networks"}
REAL = {
    "cam_network": "net.resnet50_cam",
    "irn_network": "net.resnet50_irn",
    "backbone": "resnet18",
}


@pytest.fixture(scope="module")
def of_resnet18(tmp_path_factory):
    """Run every stage on ResNet-18, once for this module."""
    folder = tmp_path_factory.mktemp("resnet18")
    changes = {"cam_scales": "0.5", "deeplab_crf": False, **REAL}
    assert run_sample.main(arguments(folder, networks=True, limit=2, **changes)) == 0
    return folder


def test_networks_of_another_shape_go_through_all_stages_up_to_labels(tmp_path):
    assert run_sample.main(arguments(tmp_path, **PLAIN)) == 0
    weights = torch.load(tmp_path / "cam.pth", weights_only=True)
    assert weights["resnet50.2.0.weight"].shape == (20, 12, 3, 3)
    for path in (tmp_path / "sem_seg").glob("*.png"):
        assert (
            read_label(path).shape == read_cams(tmp_path / f"cam/{path.stem}.npz").high_res[0].shape
        )
    stages = {line["stage"] for line in read_since(tmp_path / "metrics.jsonl", 0)}
    assert {"eval_cam", "eval_ins_seg", "eval_sem_seg"} <= stages


OWN = """
from tests import plain_networks
from tests.plain_networks import CAM, EdgeDisplacement


class Net(plain_networks.Net):
    def load_pretrained(self, source):
        print("classifier begins with", source)


class AffinityDisplacementLoss(plain_networks.AffinityDisplacementLoss):
    def load_pretrained(self, source):
        print("IRNet begins with", source)
"""


def test_a_network_that_loads_pretrained_weights_itself_does(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_pretrained.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    torch.save(tiny_networks.backbone().state_dict(), tmp_path / "backbone.pth")
    changes = {f"{network}_network": "own_pretrained" for network in ("cam", "irn")}
    stages = ("train_cam", "make_cam", "cam_to_ir_label", "train_irn")
    changes |= {f"{stage}_pass": True for stage in stages}
    assert (
        run_sample.main(arguments(tmp_path, **changes, pretrained=tmp_path / "backbone.pth")) == 0
    )
    said = capsys.readouterr().out
    for name in ("classifier", "IRNet"):
        assert said.count(f"{name} begins with {tmp_path / 'backbone.pth'}") == 1


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


@pytest.mark.parametrize("stage", ["make_cam", "eval_mask_rcnn"])
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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"irn_network": "nope.net"}, "--irn_network nope.net: No module named 'nope'"),
        ({"cam_network": "json"}, "--cam_network json: module 'json' has no attribute 'Net'"),
        ({"cam_network": "tests.plain_networks"}, "the backbone, here resnet18, is filled from"),
        ({"deeplab_backbone": "resnet34"}, "their backbone is resnet18, here it is resnet34"),
    ],
)
def test_networks_that_cannot_run_are_refused_before_the_first_stage(
    tmp_path, capsys, changes, words
):
    assert run_sample.main(arguments(tmp_path, networks=True, limit=2, **REAL | changes)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "cam.pth").exists()


@pytest.mark.parametrize(
    ("stage", "changes", "words"),
    [
        ("train_deeplab", {"deeplab_backbone": "resnet34"}, "resnet18, here it is resnet34"),
        ("eval_mask_rcnn", {"mask_rcnn_channels": 16}, "these weights are of another network"),
        ("make_ins_seg", {"irn_network": "tests.plain_networks"}, "of another network"),
    ],
)
def test_weights_of_another_network_are_refused_before_the_first_stage(
    of_resnet18, tmp_path, capsys, stage, changes, words
):
    """The stage before, which would run, is not begun."""
    place = {"ir_label_out_dir": tmp_path / "labels", "cam_to_ir_label_pass": True}
    places = {f"{network}_out_dir": tmp_path / network for network in ("mask_rcnn", "deeplab")}
    changes = {**REAL, **place, **places, "ins_seg_out_dir": tmp_path / "ins", **changes}
    if stage == "train_deeplab":
        changes["deeplab_weights_name"] = tmp_path / "deeplab.pth"
    for dry in (True, False):
        given = {"limit": 2, "dry_run": dry, f"{stage}_pass": True, **changes}
        assert run_sample.main(arguments(of_resnet18, **given)) == 2
        said = capsys.readouterr()
        assert words in (said.out if dry else said.err)
    assert not (tmp_path / "labels").exists()


def test_weights_that_will_be_made_anew_are_not_compared(of_resnet18, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(of_resnet18, folder)
    changes = {**REAL, "backbone": "resnet34", "limit": 2, "dry_run": True, "overwrite": True}
    assert run_sample.main(arguments(folder, **changes)) == 0


def test_modules_of_the_current_folder_are_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text("from net.resnet50_irn import *\n")
    (tmp_path / "broken.py").write_text("import no_such_package\n")
    for name, status in (("mine", 0), ("broken", 2)):
        words = arguments(tmp_path, **REAL | {"irn_network": name}, limit=2, dry_run=True)
        assert run_sample.main(words) == status
    assert "--irn_network broken: No module named 'no_such_package'" in capsys.readouterr().out


def test_a_validation_in_training_is_one_of_the_written_weights(tmp_path):
    changes = {**REAL, "cam_optimizer": "adamw", "cam_learning_rate": 1e-3}
    assert only("train_cam", tmp_path, **changes, cam_num_epoches=3) == 0
    noted = read_curves(tmp_path / "cam.pth.curve.jsonl")
    model, dataset = Net(20, backbone="resnet18"), Dataset(tmp_path / "VOC2012")
    model.load_published(torch.load(tmp_path / "cam.pth", weights_only=True), source="")
    compute, ids = Compute(device=torch.device("cpu")), dataset.split("val")
    logits = measure_crops(
        model.eval(), dataset, ids, crop_size=64, compute=compute, description=""
    )
    labels = torch.from_numpy(dataset.image_labels(ids))
    for name, value in validation_measures(logits, labels).items():
        assert noted[name][1][-1] == pytest.approx(value, rel=1e-5)
