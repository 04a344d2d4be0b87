"""What is checked before the first stage, and by --dry_run."""

import shutil
import sys

import pytest

import run_sample
from misc.settings.config import SETTINGS
from step import STAGES
from tests import forked
from tests.tiny_networks import tiny_detector_and_deeplab
from voc12 import Dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give a folder in which only the demo data have been made."""
    folder = tmp_path_factory.mktemp("made")
    assert run(folder, dry_run=True) == 0
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def run(folder, *passes, **changes):
    words = [word for stage in passes for word in (f"--{stage}_pass", "True")]
    with tiny_detector_and_deeplab():
        return run_sample.main(forked.arguments(folder, *words, **changes))


def dry_run(folder, *passes, **changes):
    return run(folder, *passes, **changes, dry_run=True)


def test_a_dry_run_says_what_each_stage_reads_and_writes_and_makes_nothing(folder, capsys):
    assert dry_run(folder) == 0
    out = capsys.readouterr().out
    (row,) = [line for line in out.splitlines() if line.startswith("| make_cam ")]
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2] == "4 images, 4 annotations, 1 of --cam_weights_name"
    assert cells[3] == f"4 in {folder / 'result/demo/cam'}"
    assert cells[4] == "0"
    assert {p.name for p in (folder / "result/demo").iterdir()} <= {
        "VOC2012",
        "sample_train_eval.log",
        "sample_train_eval.dry_run.settings.json",
    }
    assert not (folder / "sess").exists()


def test_a_dry_run_lists_all_that_is_missing_or_broken(folder, capsys):
    root = folder / "result/demo/VOC2012"
    ids = Dataset(root).split("train")
    (root / "JPEGImages" / f"{ids[0]}.jpg").write_bytes(b"no image")
    (root / "Annotations" / f"{ids[1]}.xml").write_text("<annotation>")
    (root / "SegmentationObject" / f"{ids[2]}.png").unlink()
    assert dry_run(folder) == 2
    captured = capsys.readouterr()
    for name in (f"{ids[0]}.jpg", f"{ids[1]}.xml", f"SegmentationObject/{ids[2]}.png"):
        assert name in captured.out
    assert "error: --dry_run: 3 problems" in captured.err


@pytest.mark.parametrize(
    ("stages", "changes", "words"),
    [
        (["train_cam", "make_ins_seg"], {}, "--make_cam_pass True"),
        (["train_cam", "train_irn"], {"pretrained": "no_such.pth"}, "no_such.pth"),
        (
            ["train_cam", "make_cam", "train_mask_rcnn"],
            {"mask_rcnn_batch_size": 10},
            "error: --mask_rcnn_batch_size 10: a batch of 10 images cannot be made of 4, those of "
            "--infer_list train: pass a smaller",
        ),
        (["train_cam", "eval_cam"], {"chainer_eval_set": "x"}, "--chainer_eval_set: unknown split"),
        (
            ["train_cam", "make_cam", "cam_to_ir_label", "eval_sem_seg"],
            {"chainer_eval_set": "val"},
            "--make_sem_seg_pass True",
        ),
    ],
)
def test_what_a_later_stage_will_lack_is_said_before_the_first(
    folder, capsys, stages, changes, words
):
    assert run(folder, *stages, **changes) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "train_cam ..." not in captured.out


def test_a_place_of_other_settings_is_said_before_the_first_stage(folder, capsys):
    assert run(folder, "train_cam", "make_cam") == 0
    (folder / "sess/demo/res50_cam.pth").unlink()
    (folder / "sess/demo/res50_cam.pth.json").unlink()
    capsys.readouterr()
    assert run(folder, "train_cam", "make_cam", cam_scales="0.5") == 2
    captured = capsys.readouterr()
    assert "--cam_scales of make_cam was [1.0, 0.5], now it is [0.5]" in captured.err
    assert "train_cam ..." not in captured.out
    assert dry_run(folder, "train_cam", "make_cam", cam_scales="0.5") == 2
    assert "--cam_scales of make_cam was" in capsys.readouterr().out
    assert dry_run(folder, "train_cam", "make_cam", cam_scales="0.5", overwrite=True) == 0


def test_a_place_of_unknown_origin_is_said_before_the_first_stage(folder, capsys):
    (folder / "result/demo/sem_seg").mkdir()
    (folder / "result/demo/sem_seg/mine.png").write_text("mine")
    (folder / "sess/demo").mkdir(parents=True)
    (folder / "sess/demo/res50_irn.pth").write_text("mine")
    assert dry_run(folder) == 2
    out = capsys.readouterr().out
    assert "sem_seg/mine.png: not made by this program" in out
    assert "res50_irn.pth: not made by this program" in out


def test_a_package_that_a_later_stage_needs_is_missed_before_the_first(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    assert run(folder, crf="pydensecrf") == 2
    captured = capsys.readouterr()
    assert "pip install pydensecrf2" in captured.err
    assert "train_cam ..." not in captured.out


def test_a_run_of_no_stage_is_refused(folder, capsys):
    flags = [stage.flag for stage in STAGES if not SETTINGS[stage.flag].of]
    assert run(folder, **dict.fromkeys(flags, False)) == 2
    assert "error: every --..._pass is False, so there is" in capsys.readouterr().err


def test_a_limit_takes_the_first_images_of_every_list(folder, capsys):
    assert run(folder, "train_cam", "make_cam", "eval_cam", limit=3, cam_batch_size=1) == 0
    cams = sorted(path.stem for path in (folder / "result/demo/cam").glob("*.npz"))
    assert cams == Dataset(folder / "result/demo/VOC2012").split("train")[:3]
    assert '"split": "train[:3]"' in (folder / "result/demo/metrics.jsonl").read_text()
    # Weights of another limit are not taken up.
    assert run(folder, "train_cam", limit=2, cam_batch_size=1) == 2
    assert "--train_list of train_cam was demo, 3 images" in capsys.readouterr().err


def test_labels_that_a_network_would_lack_are_missed_before_the_first_stage(folder, capsys):
    networks = [f"{kind}_{name}" for kind in ("train", "eval") for name in ("mask_rcnn", "deeplab")]
    assert dry_run(folder, "train_cam", *networks, "make_cocoann", supervision="irn,cam") == 2
    out = capsys.readouterr().out
    for stage in ("make_cam", "make_ins_seg", "make_sem_seg"):
        assert f"--{stage}_pass True" in out
    assert "--train_mask_rcnn_pass True" not in out
    assert "--train_deeplab_pass True" not in out
