"""--cam_method: maps of other methods through the real command line."""

import json
import shutil
import signal

import numpy as np
import pytest
import torch

import run_sample
from misc.evaluate.measures import read_since
from misc.files.cam_files import read_cams
from misc.files.images import read_label, write_label
from misc.settings.flags import read_config
from tests import forked
from tests.test_killed import die_in
from tests.tiny_networks import backbone, tiny_detector_and_deeplab

METHODS = ("recam", "lpcam", "advcam", "amn")
NETWORKS = {"advcam": "cam"}  # whose weights make the maps, where they are not the method's own
# As published: SGD, batch norm frozen. Classes are seen everywhere, so that there are labels.
CHANGES = {
    "cam_network": "tests.seeing_networks",
    "cam_optimizer": "sgd",
    "cam_learning_rate": 0.01,
    "cam_weight_decay": 1e-4,
    "irn_num_epoches": 1,
    "checkpoint_every": 0,
    "ins_seg_bg_thres": 0.25,
}
STAGES = ("train_cam", "make_cam", "eval_cam", "cam_to_ir_label", "train_irn", "make_sem_seg")


def words_of(folder, *stages, **changes):
    if changes.get("cam_method") == "advcam":
        changes = {"advcam_iterations": 3, **changes}
    if changes.get("cam_method") == "amn":
        changes = {"amn_label_dir": folder.parent / "plain/result/demo/ir_label", **changes}
    passes = [word for stage in stages for word in (f"--{stage}_pass", "True")]
    changes = {**CHANGES, "pretrained": folder.parent / "pretrained.pth", **changes}
    return forked.arguments(folder, *passes, **changes)


def own_stages(method):
    """Name the stages that make a method's maps from the trained classification network."""
    return (*[f"train_{method}"] * (method not in NETWORKS), "make_cam")


def maps(folder, place="cam"):
    paths = sorted((folder / "result/demo" / place).glob("*.npz"))
    assert paths
    return {path.name: path.read_bytes() for path in paths}


def weights(folder):
    return {path.name: path.read_bytes() for path in (folder / "sess/demo").glob("*.pth")}


def matrix(folder, method):
    """Give the weights that a method's maps are made from."""
    if method in NETWORKS:
        state = torch.load(folder / "sess/demo/res50_cam.pth", weights_only=True)
        return [state["classifier.weight"]]
    state = torch.load(folder / f"sess/demo/{method}.pth", weights_only=True)
    if method == "amn":
        return [state["embedding.weight"].T[:, :, None, None]]
    return [state[f"{method}.weight"], state["net.classifier.weight"]]


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with tiny_detector_and_deeplab():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("methods")
    torch.manual_seed(0)
    torch.save(backbone().state_dict(), folder / "pretrained.pth")
    return folder


@pytest.fixture(scope="module")
def plain(place):
    """Give a run with plain CAMs."""
    words = words_of(place / "plain", "train_cam", "make_cam", "cam_to_ir_label")
    assert run_sample.main(words) == 0
    return place / "plain"


@pytest.fixture(scope="module", params=METHODS)
def made(request, plain):
    """Give a method's name, and its run from the trained network to semantic labels."""
    method = request.param
    folder = plain.parent / method
    shutil.copytree(plain, folder, ignore=shutil.ignore_patterns("cam", "ir_label"))
    words = words_of(folder, *STAGES, *own_stages(method)[:-1], cam_method=method)
    assert run_sample.main(words) == 0
    return method, folder


def copy(folder, name, *missing):
    shutil.copytree(folder, folder.parent / name, ignore=shutil.ignore_patterns(*missing))
    return folder.parent / name


def test_a_method_goes_from_its_own_maps_to_labels_at_its_own_thresholds(made, plain, capsys):
    method, folder = made
    found, other = maps(folder), maps(plain)
    assert found.keys() == other.keys()
    assert all(found[name] != other[name] for name in found)
    assert len(list((folder / "result/demo/sem_seg").glob("*.png"))) == 4
    assert {weight.shape for weight in matrix(folder, method)} == {(20, 2048, 1, 1)}
    record = json.loads((folder / "result/demo/cam/settings.json").read_text())["stages"]
    assert record["make_cam"]["cam_method"] == method
    network = NETWORKS.get(method, method)
    assert [n for n in record["make_cam"] if "weights" in n] == [f"{network}_weights_name"]
    assert record["make_cam"].get("advcam_iterations") == (3 if method == "advcam" else None)
    details = json.loads((folder / "result/demo/details/eval_cam.json").read_text())
    used = {"recam": 0.21, "lpcam": 0.3, "advcam": 0.15, "amn": 0.25}[method]
    assert details["thresholds"]["used"] == used
    measured = [m["measure"] for m in read_since(folder / "result/demo/metrics.jsonl", 0)]
    assert "best mIoU" in measured
    grid = "sem_seg_bg_thres=0.2,0.3"
    words = words_of(folder, "make_sem_seg", cam_method=method, sweep=grid)
    assert run_sample.main(words) == 0
    assert "0.2" in (folder / "result/demo/sweep/sweep.md").read_text()


def test_maps_of_two_methods_are_not_mixed(made, plain, capsys):
    method, folder = made
    assert run_sample.main(words_of(folder, "make_cam")) == 2
    words = f"--cam_method of make_cam was {method}, now it is cam"
    assert words in capsys.readouterr().err
    # Nor are labels made of them at the thresholds of plain CAMs.
    elsewhere = {"ir_label_out_dir": folder / "other", "sem_seg_out_dir": folder / "others"}
    grid = {"sweep": "sem_seg_bg_thres=0.2,0.3", "sweep_dir": folder / "other"}
    for stage, given in ("cam_to_ir_label", {}), ("make_sem_seg", {}), ("make_sem_seg", grid):
        assert run_sample.main(words_of(folder, stage, **elsewhere, **given)) == 2
        words = f"result/demo/cam is of --cam_method {method}, whose thresholds differ"
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("made", ["recam"], indirect=True)
def test_weights_of_another_method_are_refused(made, capsys):
    _, folder = made
    changes = {"cam_method": "lpcam", "lpcam_weights_name": folder / "sess/demo/recam.pth"}
    words = words_of(folder, "make_cam", **changes, cam_out_dir=folder / "other")
    assert run_sample.main(words) == 2
    assert "missing lpcam.weight; unknown recam.weight" in capsys.readouterr().err


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(made):
    method, folder = made
    again = copy(folder, f"killed {method}", f"{method}.pth*", "cam", "ir_label")
    stages = own_stages(method)
    words = words_of(again, *stages, cam_method=method)
    for seconds in (0.1, 0.4):
        call = [stages[0], seconds, *words]
        status = forked.run(call, again / "output", call=die_in)
        assert status in (-signal.SIGALRM, -signal.SIGKILL)
    assert forked.run(words, again / "output") == 0
    assert weights(again) == weights(folder)
    assert not list(again.glob("sess/demo/*.checkpoint"))
    assert maps(again) == maps(folder)


def test_two_ranks_make_the_maps_of_one(made):
    method, folder = made
    again = copy(folder, f"ranks {method}", f"{method}.pth*", "cam", "ir_label")
    words = words_of(again, *own_stages(method), cam_method=method)
    ranks = forked.start_ranks(words, again / "output")
    assert [forked.finish(rank) for rank in ranks] == [0, 0]
    assert "live batch norm" not in (again / "output0").read_text()
    # Each rank of AMN drops features of its own.
    rough = {"rtol": 0, "atol": 0.02} if method == "amn" else {"rtol": 1e-5, "atol": 1e-6}
    for found, expected in zip(matrix(again, method), matrix(folder, method), strict=True):
        torch.testing.assert_close(found, expected, **rough)
    for name in maps(folder):
        found, expected = (read_cams(f / "result/demo/cam" / name).cam for f in (again, folder))
        np.testing.assert_allclose(found, expected, atol=0.1 if method == "amn" else 1e-4)


def test_predict_uses_the_method_of_the_networks_that_it_is_given(made, capsys):
    method, folder = made
    photos = folder / "result/demo/VOC2012/JPEGImages"
    network = [f"--{name}" for name in ("cam_network", "irn_network")]
    modules = [network[0], CHANGES["cam_network"], network[1], forked.TINY["irn_network"]]
    words = ["--run_dir", str(folder), "--preset", "demo", "--predict", str(photos), *modules]
    words += ["--predict_network", "irn", "--limit", "1", "--num_workers", "0"]
    words += ["--device", "cpu", "--precision", "fp32"]
    if method == "amn":
        assert run_sample.main(words) == 2
        assert "--cam_method amn: its maps need a relation label" in capsys.readouterr().err
        words += ["--cam_method", "cam"]
        method = "cam"
    assert run_sample.main(words) == 0
    record = json.loads((folder / "result/demo/predict/irn/settings.json").read_text())
    (own,) = record["stages"].values()
    assert own["cam_method"] == method
    assert f"{NETWORKS.get(method, method)}_weights_name" in own
    assert own["cam_power"] == (1.5 if method == "advcam" else 1)
    assert own.get("advcam_iterations") == (3 if method == "advcam" else None)


@pytest.mark.parametrize("method", ["recam", "lpcam", "advcam"])
def test_a_network_without_features_is_refused_by_name(plain, method, capsys):
    changes = {"cam_network": "tests.plain_networks", "cam_method": method}
    assert run_sample.main(words_of(plain, own_stages(method)[0], **changes)) == 2
    said = capsys.readouterr().err
    assert f"--cam_method {method}: --cam_network tests.plain_networks: 'Net' object has no" in said


def test_amn_without_an_earlier_run_is_told_so_in_one_line(plain, capsys):
    changes = {"cam_method": "amn", "amn_label_dir": plain / "nothing"}
    assert run_sample.main(words_of(plain, "train_amn", "make_cam", **changes)) == 2
    said = capsys.readouterr().err
    assert "nothing/demo_000001.png is missing (4 of 4 missing), and train_amn reads it" in said
    assert "accepted is --ir_label_out_dir of an earlier run" in said


@pytest.mark.parametrize("made", ["amn"], indirect=True)
def test_maps_of_amn_count_the_labels_that_they_are_made_with(made, plain, capsys):
    _, folder = made
    copy(plain, "other", "cam")
    path = plain.parent / "other/result/demo/ir_label/demo_000001.png"
    write_label(path, 1 - np.minimum(read_label(path), 1))
    changes = {"cam_method": "amn", "amn_label_dir": path.parent}
    assert run_sample.main(words_of(folder, "make_cam", **changes)) == 2
    assert "holds results of another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--cam_method amn", "--amn_label_dir result/demo/ir_label: is --ir_label_out_dir of this"),
        ("--recam_learning_rate 1", "--recam_learning_rate 1.0: is of --cam_method recam, not cam"),
        ("--advcam_iterations 9", "--advcam_iterations 9: is of --cam_method advcam, not cam"),
        ("--cam_method lpcam --train_recam_pass True", "is of --cam_method recam, not lpcam"),
        ("--cam_method camm", "--cam_method camm: accepted is cam or recam or lpcam"),
        ("--cam_method lpcam --lpcam_context_prob 0.9,0.1", "accepted is two increasing numbers"),
    ],
)
def test_flags_of_another_method_are_refused_in_one_line(words, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_config(words.split())
    assert "\n" not in str(caught.value)


def test_a_method_brings_its_thresholds_which_flags_override(tmp_path):
    def thresholds(*words):
        config = read_config(words)
        return config.cam_eval_thres, config.conf_fg_thres, config.conf_bg_thres

    voc = ("--voc12_root", "V")
    coco = ("--data_root", "C", "--dataset", "coco17")
    assert thresholds(*voc) == (0.15, 0.3, 0.05)
    assert thresholds(*voc, "--cam_method", "recam") == (0.21, 0.35, 0.1)
    assert thresholds(*voc, "--cam_method", "lpcam", "--conf_fg_thres", "0.5") == (0.3, 0.5, 0.25)
    assert thresholds(*voc, "--cam_method", "advcam") == (0.15, 0.35, 0.15)
    assert read_config([*voc, "--cam_method", "advcam"]).cam_power == 1.5
    assert thresholds(*voc, "--cam_method", "amn", "--run_dir", "R") == (0.25, 0.45, 0.15)
    assert thresholds(*coco) == (0.15, 0.35, 0.1)
    assert thresholds(*coco, "--cam_method", "recam") == (0.15, 0.35, 0.1)
    assert read_config([*coco, "--cam_method", "lpcam"]).lpcam_clusters == 20
    saved = {"preset": "voc12", "dataset": "voc12", "data_root": "V", "cam_method": "cam"}
    (tmp_path / "saved.json").write_text(json.dumps({"settings": saved}))
    with pytest.raises(
        ValueError, match=r"--cam_method lpcam: --settings .* cam_method cam; leave"
    ):
        read_config(["--settings", str(tmp_path / "saved.json"), "--cam_method", "lpcam"])
