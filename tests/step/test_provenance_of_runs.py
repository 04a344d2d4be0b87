"""What the settings that lie beside results do for whole runs of the command line."""

import json
import shutil

import numpy as np
import pytest
import torch

import run_sample
from misc.evaluate.measures import read_since, record_measures
from misc.files.cam_files import read_cams
from misc.run.stage import StageFiles
from misc.settings.flags import read_config
from misc.train import training
from tests import forked
from tests.tiny_networks import tiny_detector_and_deeplab
from voc12 import Dataset
from voc12.dataset import PUBLISHED

UP_TO_IRN = ("train_cam", "make_cam", "cam_to_ir_label", "train_irn")
RESULT, WEIGHTS = "result/demo", "sess/demo"


def run(folder, *passes, words=(), **changes):
    passes = [word for stage in passes for word in (f"--{stage}_pass", "True")]
    with tiny_detector_and_deeplab():
        return run_sample.main(forked.arguments(folder, *passes, *words, **changes))


def log(folder):
    return (folder / RESULT / "sample_train_eval.log").read_text()


def state(folder):
    return torch.load(folder / WEIGHTS / "res50_irn.pth", weights_only=True)


def times(folder):
    """Give when each CAM, label and weights file was written."""
    paths = [*folder.rglob("*.npz"), *folder.rglob("demo*.png"), *folder.rglob("*.pth")]
    kept = {p.relative_to(folder): p.stat().st_mtime_ns for p in paths if "VOC" not in str(p)}
    assert kept
    return kept


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give a run up to IRNet's labels, once for this module."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert run(folder, *UP_TO_IRN, "make_ins_seg", "make_sem_seg") == 0
    return folder


@pytest.fixture
def copied(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def voc(made, tmp_path):
    """Give the demo's images as a data set that is not known as the demo."""
    shutil.copytree(made / RESULT / "VOC2012", tmp_path / "VOC" / "VOC2012")
    (tmp_path / "VOC/VOC2012/ImageSets/DEMO").unlink()
    return tmp_path / "VOC" / "VOC2012"


def test_a_run_folder_that_was_moved_keeps_its_results(copied, tmp_path, monkeypatch):
    copied.rename(tmp_path / "moved")
    before = times(tmp_path / "moved")
    stages = (*UP_TO_IRN, "make_ins_seg", "make_sem_seg")
    assert run(tmp_path / "moved", *stages) == 0
    monkeypatch.chdir(tmp_path)
    assert run("moved", *stages) == 0
    assert times(tmp_path / "moved") == before


def test_a_data_set_that_was_moved_keeps_its_results(voc, tmp_path, capsys):
    folder, changes = tmp_path / "run", {"preset": "demo", "voc12_root": voc}
    assert run(folder, "train_cam", "make_cam", **changes) == 0
    before = times(folder)
    shutil.copytree(voc, tmp_path / "copy")
    shutil.rmtree(voc)
    changes["voc12_root"] = tmp_path / "copy"
    assert run(folder, "train_cam", "make_cam", **changes) == 0
    assert times(folder) == before
    image = next((tmp_path / "copy/JPEGImages").glob("demo*"))
    image.write_bytes(image.read_bytes() + b"\0")
    assert run(folder, "make_cam", **changes) == 2
    assert (
        "labels of --data_root, which make_cam read, were voc12, 5 images"
        in capsys.readouterr().err
    )


def test_a_list_counts_by_its_contents(copied, capsys):
    before = times(copied)
    text = (copied / RESULT / "VOC2012/ImageSets/Segmentation/train.txt").read_text()
    (copied / "mine.txt").write_text(text)
    assert run(copied, "train_cam", train_list=copied / "mine.txt") == 0
    assert times(copied) == before
    (copied / "mine.txt").write_text(text.split()[0])
    assert run(copied, "train_cam", train_list=copied / "mine.txt", cam_batch_size=1) == 2
    assert "--train_list of train_cam was demo, 4 images" in capsys.readouterr().err


@pytest.fixture
def foreign(copied):
    """Give the flags of relation labels made of CAMs that count as another method's."""
    shutil.copytree(copied / RESULT / "cam", copied / "mine")
    (copied / "mine" / "settings.json").unlink()
    changes = {"cam_out_dir": copied / "mine", "ir_label_out_dir": copied / "labels"}
    assert run(copied, "cam_to_ir_label", **changes) == 0
    return changes


def test_cams_of_another_method_made_again_with_their_size_are_noticed(copied, capsys):
    ours, mine = copied / RESULT / "cam", copied / "mine"
    mine.mkdir()
    found = {path.stem: read_cams(path) for path in ours.glob("*.npz")}

    def write(power):
        for image_id, cams in found.items():
            maps = {"keys": cams.keys, "high_res": cams.high_res**power}
            np.save(mine / f"{image_id}.npy", maps, allow_pickle=True)
        return {path.name: path.stat().st_size for path in mine.iterdir()}

    changes = {"cam_out_dir": mine, "ir_label_out_dir": copied / "labels"}
    sizes = write(1)
    assert run(copied, "cam_to_ir_label", **changes) == 0
    assert write(1) == sizes
    assert run(copied, "cam_to_ir_label", **changes) == 0
    assert write(2) == sizes
    assert run(copied, "cam_to_ir_label", **changes) == 2
    error = capsys.readouterr().err
    assert ".npy of --cam_out_dir, digest" in error
    assert "such images); pass --overwrite True" in error


def test_labels_of_more_images_join_those_of_the_same_cams(copied, foreign, capsys):
    shutil.rmtree(copied / "labels")
    assert run(copied, "cam_to_ir_label", limit=2, **foreign) == 0
    before = times(copied / "labels")
    assert run(copied, "cam_to_ir_label", **foreign) == 0
    joined = times(copied / "labels")
    assert len(joined) == 2 * len(before)
    assert joined.items() >= before.items()
    assert run(copied, "cam_to_ir_label", limit=2, **foreign) == 0
    for path in (copied / "mine").glob("*.npz"):
        path.write_bytes(path.read_bytes() + b"0")
    assert run(copied, "cam_to_ir_label", limit=2, **foreign) == 2


def test_weights_of_another_precision_are_not_taken(copied, capsys):
    assert run(copied, "train_irn", precision="bf16") == 2
    error = capsys.readouterr().err
    assert "--precision of train_irn was fp32, now it is bf16" in error


BOTH, INSTANCE, SEMANTIC = ("make_ins_seg", "make_sem_seg"), ("make_ins_seg",), ("make_sem_seg",)


def labels_in(folder, stage):
    """Give the instances, or the label maps, of a run."""
    files = sorted((folder / RESULT / stage[5:]).glob("demo*.*"))
    assert files
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("flag", "value", "was", "shaped"),
    [
        ("walk", False, "True", BOTH),
        ("small_displacement", 5, "0.3", INSTANCE),
        ("sem_seg_bg_thres", 0.6, "0.4", SEMANTIC),
        ("ins_seg_crf", True, "False", INSTANCE),
    ],
)
def test_what_shapes_labels_shapes_those_of_its_stages_and_nothing_else(
    copied, capsys, flag, value, was, shaped
):
    before, change = times(copied), {flag: value}
    labels = {stage: labels_in(copied, stage) for stage in BOTH}
    for stage in shaped:
        assert run(copied, stage, **change) == 2
        assert f"--{flag} of {stage}_labels was {was}, now it is" in capsys.readouterr().err
    # CAMs, relation labels, IRNet and the other labels are as they were, and not made again.
    assert run(copied, *UP_TO_IRN, *(set(BOTH) - set(shaped)), **change) == 0
    assert times(copied) == before
    assert run(copied, *shaped, **change, overwrite=True) == 0
    changed = {stage for stage in BOTH if labels_in(copied, stage) != labels[stage]}
    assert changed == set(shaped)


def test_overwrite_deletes_no_folder_and_no_file_of_the_users(copied, tmp_path, capsys):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.txt").write_text("precious")
    changes = {"cam_out_dir": thesis, "overwrite": True}
    assert run(copied, "make_cam", **changes) == 2
    words = "chapter.txt: not made by this program (settings.json does not say so)"
    assert words in capsys.readouterr().err
    assert (thesis / "chapter.txt").read_text() == "precious"
    labels = copied / RESULT / "sem_seg"
    (labels / "notes.txt").write_text("precious")
    assert run(copied, "make_sem_seg", beta=8, overwrite=True) == 0
    assert (labels / "notes.txt").read_text() == "precious"


def test_weights_of_any_name_are_trained_once_and_read(copied):
    name = "res50.v1"
    changes = {"cam_weights_name": copied / name, "cam_out_dir": copied / "cam_of_it"}
    assert run(copied, "train_cam", "make_cam", **changes) == 0
    before = (copied / name).stat().st_mtime_ns
    assert run(copied, "train_cam", "make_cam", **changes) == 0
    assert (copied / name).stat().st_mtime_ns == before
    names = {path.name for path in copied.iterdir() if path.name.startswith(name)}
    assert names == {name, f"{name}.json", f"{name}.curve.jsonl"}


def trained_steps(folder):
    return log(folder).count("train_irn step")


@pytest.fixture(scope="module")
def other_list(made, tmp_path_factory):
    """Give a list for --infer_list, and the weights that are trained with it from the start."""
    folder = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(made, folder)
    listed = folder.parent / "two.txt"
    listed.write_text("\n".join(Dataset(folder / RESULT / "VOC2012").split("train")[:2]))
    for path in (folder / WEIGHTS).glob("res50_irn*"):
        path.unlink()
    assert run(folder, "train_irn", infer_list=listed) == 0
    return listed, (folder / WEIGHTS / "res50_irn.pth").read_bytes()


def test_another_infer_list_changes_the_mean_displacement_without_a_training(
    copied, other_list, capsys
):
    listed, expected = other_list
    before, steps = state(copied), trained_steps(copied)
    assert run(copied, "train_irn", infer_list=listed) == 0
    assert (copied / WEIGHTS / "res50_irn.pth").read_bytes() == expected
    assert trained_steps(copied) == steps
    differ = {name for name, value in state(copied).items() if not torch.equal(before[name], value)}
    assert differ
    assert all(name.endswith("running_mean") for name in differ)
    written = (copied / WEIGHTS / "res50_irn.pth").stat().st_mtime_ns
    assert run(copied, "train_irn", infer_list=listed) == 0
    assert (copied / WEIGHTS / "res50_irn.pth").stat().st_mtime_ns == written
    # What was made with the weights as they were is not continued with them as they are.
    assert run(copied, "make_ins_seg", infer_list=listed) == 2
    assert "--irn_weights_name of make_ins_seg_labels was" in capsys.readouterr().err


class Killed(BaseException):
    """As if the process were gone."""


@pytest.mark.parametrize(
    ("moment", "calls", "after"),
    [("save_weights", 1, False), ("save_weights", 1, True), ("write_note", 2, False)],
)
def test_killed_while_it_sets_the_mean_the_same_command_ends_the_same(
    copied, other_list, monkeypatch, moment, after, calls
):
    listed, expected = other_list
    real, left = getattr(training, moment), [calls]

    def die(*arguments, **options):
        left[0] -= 1
        if after or left[0]:
            real(*arguments, **options)
        if not left[0]:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, moment, die)
        with pytest.raises(Killed):
            run(copied, "train_irn", infer_list=listed)
    assert run(copied, "train_irn", infer_list=listed) == 0
    assert (copied / WEIGHTS / "res50_irn.pth").read_bytes() == expected


class OfVoc:
    """A data set whose split train is VOC's."""

    name = "voc12"
    may_lack_truth = False
    split = None

    def published(self, stage, split):
        return PUBLISHED[stage, split] if split == "train" else {}


def test_published_figures_stand_beside_measures_of_plain_cams_on_voc_with_its_preset(tmp_path):
    for preset, split, method in (
        ("voc12", "train", "cam"),
        ("voc12_author", "train", "cam"),
        ("demo", "train", "cam"),
        ("voc12", "val", "cam"),
        ("voc12", "train", "advcam"),
    ):
        words = ["--voc12_root", "V", "--preset", preset, "--run_dir", tmp_path]
        words += ["--cam_method", method]
        words += ["--chainer_eval_set", split, "--metrics_file", tmp_path / "m.jsonl"]
        config = read_config(map(str, words))
        record_measures(StageFiles("eval_cam", config, OfVoc()), {"mIoU": 0.5}, {})
    found = [line["published"] for line in read_since(tmp_path / "m.jsonl", 0)]
    assert found == [0.483, 0.483, None, None, None]


def test_a_run_is_repeated_from_the_settings_that_it_wrote(copied, tmp_path):
    path = copied / RESULT / "sample_train_eval.settings.json"
    assert json.loads(path.read_text())["settings"]["cam_num_epoches"] == 3
    with tiny_detector_and_deeplab():
        words = ["--settings", str(path), "--run_dir", str(tmp_path / "again")]
        assert run_sample.main([*words, "--overwrite"]) == 0
    expected, again = times(copied), times(tmp_path / "again")
    assert set(again) == set(expected)
    assert all((copied / p).read_bytes() == (tmp_path / "again" / p).read_bytes() for p in again)
