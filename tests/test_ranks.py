"""Several ranks of a run do what one does."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
import torch

import run_sample
from misc.run import workers
from misc.settings.cores import usable_cores
from misc.train.curves import read_curves
from tests import forked
from tests.tiny_networks import backbone

ROOT = Path(__file__).parent.parent
CORES = usable_cores()
# As published: batch norm frozen, SGD. The rates are small, because the displacement loss has no
# derivative where it is 0: at a large one, rounding alone leads two runs apart within 10 steps.
PUBLISHED = {
    "cam_optimizer": "sgd",
    "irn_optimizer": "sgd",
    "cam_learning_rate": 0.01,
    "irn_learning_rate": 0.001,
    "cam_weight_decay": 1e-4,
    "cam_num_epoches": 10,
    "irn_num_epoches": 10,
    "deeplab_optimizer": "sgd",
    "deeplab_steps": 10,
    "deeplab_scales": "1.0",
    "deeplab_crf": False,  # that of the relation labels is shared out, too
    # Batches that 2, 3 and 4 ranks share unevenly, and of which some of 8 ranks get no image.
    "demo_train_images": 5,
    "cam_batch_size": 5,
    "irn_batch_size": 5,
    "deeplab_batch_size": 5,
    "mask_rcnn_batch_size": 3,
    "deeplab_crop_size": 160,  # crops reach over images, with pixels that do not count
    "demo_val_images": 3,
}
TEN_STEPS = ("--train_cam_pass", "True", "--train_irn_pass", "True")
NETWORKS = ("make_cocoann", "train_mask_rcnn", "eval_mask_rcnn", "train_deeplab", "eval_deeplab")
LABELS = ("cam", "ir_label", "ins_seg", "sem_seg", "mask_rcnn", "deeplab")


def weights(folder, name):
    return torch.load(folder / "sess/demo" / name, weights_only=True)


def labels(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for kind in LABELS
        for path in sorted((folder / "result/demo" / kind).rglob("demo*"))
    }


# Numbers of ranks, and micro batches.
LARGER = [(3, 0), (4, 0), (8, 0), (2, 1)]


def run_ranks(words, output, number=2, call=None):
    started = forked.start_ranks(words, output, number, call)
    return [forked.finish(process) for process in started]


def tell_loops(*words):
    """Run, and print which images each loop of this rank is given."""
    map_images = workers.map_images

    def told(ids, load, *, description="", **options):
        print("loop", re.sub(r"\W+", "_", description), *ids, flush=True)
        return map_images(ids, load, description=description, **options)

    workers.map_images = told
    return run_sample.main(list(words))


def assert_shared(output, number, *descriptions):
    """In each loop of these descriptions, each image is one rank's, and the ranks share evenly."""
    for description in descriptions:
        loops = [
            [line.split()[2:] for line in re.findall(rf"loop {description}\b.*", text)]
            for text in (Path(f"{output}{rank}").read_text() for rank in range(number))
        ]
        assert loops[0]
        for parts in zip(*loops, strict=True):
            images = [image_id for part in parts for image_id in part]
            assert len(images) == len(set(images))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def measures(folder, *stages):
    """Give the last value of each measure of stages, and the details behind them."""
    lines = (folder / "result/demo/metrics.jsonl").read_text().splitlines()
    values = {
        (m["stage"], m["measure"]): m["value"]
        for m in map(json.loads, lines)
        if m["stage"] in stages
    }
    details = [(folder / f"result/demo/details/{stage}.json").read_text() for stage in stages]
    return values, details


def assert_close(folder, other, *, names=("res50_cam.pth", "res50_irn.pth"), tolerance=1e-5):
    for name in names:
        found, expected = weights(folder, name), weights(other, name)
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, rtol=tolerance, atol=tolerance)


def assert_same_curves(folder, other, name):
    """What the first rank notes, loss and measures, is what one rank notes."""
    found, expected = (
        read_curves(path / f"sess/demo/{name}.curve.jsonl") for path in (folder, other)
    )
    assert list(found) == list(expected)
    for measure, (steps, values) in expected.items():
        assert found[measure][0] == steps
        assert found[measure][1] == pytest.approx(values, rel=1e-3, abs=1e-5), measure


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Give the run of one rank, 10 steps for each network but Mask R-CNN."""
    folder = tmp_path_factory.mktemp("one")
    torch.manual_seed(0)
    torch.save(backbone().state_dict(), folder / "pretrained.pth")
    words = forked.arguments(folder, **PUBLISHED, pretrained=folder / "pretrained.pth")
    assert forked.run(words, folder / "output") == 0
    return folder


@pytest.mark.slow
def test_torchrun_on_two_ranks_learns_what_one_learns_and_evaluates_once(one, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", "run_sample.py"]
    # Only processes forked by the test have tiny forms of these.
    off = {f"{stage}_pass": False for stage in NETWORKS}
    off |= {"num_workers": 1, "pretrained": one / "pretrained.pth"}
    command += forked.arguments(tmp_path, **PUBLISHED, **off)
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert_close(tmp_path, one)
    measures = (tmp_path / "result/demo/metrics.jsonl").read_text().splitlines()
    expected = (one / "result/demo/metrics.jsonl").read_text().splitlines()
    assert len(measures) == sum(not re.search("deeplab|mask_rcnn", line) for line in expected)
    assert ended.stdout.count("| eval_sem_seg") == 1
    log = (tmp_path / "result/demo/sample_train_eval.log").read_text()
    assert log.count("train_irn ...") == 1


# A worker for each core: workers apply the networks. 5 ranks are more than the images.
@pytest.mark.parametrize(
    ("number", "num_workers"),
    [(2, 1), (1, CORES), pytest.param(5, CORES, marks=pytest.mark.slow)],
)
def test_ranks_and_workers_share_the_images_and_make_equal_labels(
    one, tmp_path, number, num_workers
):
    folder = tmp_path / "run"
    shutil.copytree(one, folder)
    for kind in LABELS:
        shutil.rmtree(folder / "result/demo" / kind)
    stages = ["make_cam", "cam_to_ir_label", "make_ins_seg", "make_sem_seg"]
    stages += ["make_cocoann", "eval_mask_rcnn", "eval_deeplab"]
    passes = [word for stage in stages for word in (f"--{stage}_pass", "True")]
    changes = {**PUBLISHED, "num_workers": num_workers, "pretrained": one / "pretrained.pth"}
    words = forked.arguments(folder, *passes, **changes)
    assert run_ranks(words, tmp_path / "output", number, tell_loops) == [0] * number
    assert labels(folder) == labels(one)
    assert_shared(tmp_path / "output", number, "detect", "deeplab", "measure")
    evaluations = "eval_mask_rcnn", "eval_deeplab"
    assert measures(folder, *evaluations) == measures(one, *evaluations)
    log = (folder / "result/demo/metrics.jsonl").read_text()
    assert log.count('"eval_deeplab"') == 2  # one rank's, and now once


@pytest.mark.parametrize(
    ("number", "micro_batch"),
    [(2, 0), *(pytest.param(*each, marks=pytest.mark.slow) for each in LARGER)],
)
def test_any_number_of_ranks_learns_what_one_learns(one, tmp_path, number, micro_batch):
    folder = tmp_path / "run"
    shutil.copytree(one, folder, ignore=shutil.ignore_patterns("sess"))
    stages = ("train_cam", "train_irn", "train_mask_rcnn", "train_deeplab")
    words = [word for stage in stages for word in (f"--{stage}_pass", "True")]
    changes = {**PUBLISHED, "pretrained": one / "pretrained.pth", "micro_batch": micro_batch}
    words = forked.arguments(folder, *words, **changes)
    assert run_ranks(words, tmp_path / "output", number, tell_loops) == [0] * number
    assert_shared(tmp_path / "output", number, "validate", "count_instances", "mean_displacement")
    names = ["res50_cam", "res50_irn", "deeplab"]
    assert_close(folder, one, names=[f"{name}.pth" for name in names])
    for name in names:
        assert_same_curves(folder, one, name)
    # torchvision's detector draws from the images of a rank: no equal weights.
    assert all(tensor.isfinite().all() for tensor in weights(folder, "mask_rcnn.pth").values())


def test_micro_batches_of_a_detector_are_those_of_as_many_ranks(one, tmp_path):
    for number, micro_batch in ((3, 0), (1, 1)):
        folder = tmp_path / str(number)
        shutil.copytree(one, folder, ignore=shutil.ignore_patterns("mask_rcnn*"))
        changes = {**PUBLISHED, "pretrained": one / "pretrained.pth", "micro_batch": micro_batch}
        words = forked.arguments(folder, "--train_mask_rcnn_pass", "True", **changes)
        assert run_ranks(words, tmp_path / "output", number) == [0] * number
    assert_close(tmp_path / "1", tmp_path / "3", names=["mask_rcnn.pth"])
    assert_same_curves(tmp_path / "1", tmp_path / "3", "mask_rcnn")


def test_live_batch_norm_of_ranks_on_a_cpu_is_told_and_trains(tmp_path):
    changes = {**PUBLISHED, "cam_batch_size": 3, "cam_num_epoches": 5, "pretrained": "none"}
    words = forked.arguments(tmp_path, "--train_cam_pass", "True", **changes)
    assert run_ranks(words, tmp_path / "output", 2) == [0, 0]
    told = "warning: live batch norm in 2 processes on CPUs: each normalises by its own images"
    assert [(tmp_path / f"output{n}").read_text().count(told) for n in (0, 1)] == [1, 0]
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path, "res50_cam.pth").values())


def forget_the_metrics(*words):
    """Run; every rank but the first sees no metrics file, as on a disk of another machine."""
    is_file = Path.is_file

    def is_seen(path):
        return not (os.environ["RANK"] != "0" and path.name == "metrics.jsonl") and is_file(path)

    with mock.patch.object(Path, "is_file", is_seen):
        return run_sample.main(list(words))


def test_ranks_that_see_other_files_do_not_wait_for_each_other(one, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(one, folder)
    (folder / "result/demo/TABLES.md").unlink(missing_ok=True)
    words = forked.arguments(folder, "--eval_sem_seg_pass", "True", **PUBLISHED)
    words += ["--pretrained", str(one / "pretrained.pth")]
    assert run_ranks(words, tmp_path / "output", 2, forget_the_metrics) == [0, 0]
    assert (folder / "result/demo/TABLES.md").is_file()


def test_a_rank_that_dies_takes_the_run_down_and_the_rerun_goes_on(one, tmp_path):
    changes = {**PUBLISHED, "num_workers": 1, "pretrained": one / "pretrained.pth"}
    words = forked.arguments(tmp_path, *TEN_STEPS, **changes, checkpoint_every=0)
    shutil.copytree(one / "result", tmp_path / "result")
    first, second = forked.start_ranks(words, tmp_path / "output")
    checkpoint = tmp_path / "sess/demo/res50_cam.pth.checkpoint"
    while not checkpoint.exists() and second.is_alive():
        time.sleep(0.002)
    assert forked.kill(second)
    assert forked.finish(first) == 2
    lines = re.split(r"[\r\n]+", (tmp_path / "output0").read_text().strip())
    assert re.match("error: rank 0: another process of this run has stopped", lines[-1])
    assert run_ranks(words, tmp_path / "again") == [0, 0]
    assert "resuming from" in (tmp_path / "again0").read_text()
    assert_close(tmp_path, one)


def test_a_mistake_is_told_once(tmp_path):
    words = forked.arguments(tmp_path, "--make_cam_pass", "True")
    assert run_ranks(words, tmp_path / "output") == [2, 2]
    errors = [(tmp_path / f"output{rank}").read_text().count("error: ") for rank in (0, 1)]
    assert "--train_cam_pass True" in (tmp_path / "output0").read_text()
    assert errors[0] == 1


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        words = forked.arguments(tmp_path, "--make_cam_pass", "True")
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 2}
        assert forked.run(words, tmp_path / "output", **place) == 2
    told = (tmp_path / "output").read_text().strip().splitlines()[-1]
    assert told.startswith(
        f"error: torchrun --master_port: the ranks cannot meet at 127.0.0.1:{port}"
    )
