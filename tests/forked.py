"""Runs the command line in processes of their own, which are forked from one that has torch.

A new interpreter would take seconds to import it; what runs is the same `run_sample.main`.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import socket
import sys
from multiprocessing import forkserver

# What runs are computed with: IRN_TEST_DEVICE=cuda make test, IRN_TEST_PRECISION.
COMPUTED = {
    "device": os.environ.get("IRN_TEST_DEVICE", "cpu"),
    "precision": os.environ.get("IRN_TEST_PRECISION", "fp32"),
}
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "pytest",
        "run_sample",
        "tests.forked",
        "tests.tiny_networks",
        "pydensecrf.densecrf",
        "misc.run.preflight",
        "step.train_cam",
        "step.train_irn",
        "step.make_cam",
        "step.eval_cam",
        "step.eval_ins_seg",
        "step.eval_mask_rcnn",
        "step.eval_deeplab",
    ]
)

TINY = {
    "cam_network": "tests.tiny_networks",
    "irn_network": "tests.tiny_networks",
    "demo_train_images": 4,
    "demo_val_images": 1,
    "cam_num_epoches": 3,
    "irn_num_epoches": 3,
    "cam_batch_size": 2,
    "irn_batch_size": 2,
    "cam_crop_size": 64,
    "irn_crop_size": 96,
    "irn_pad": 96,
    "cam_resize_long": "60,80",
    "cam_scales": "1.0,0.5",
    "exp_times": 3,
    "mask_rcnn_steps": 4,
    "mask_rcnn_drops": "3",
    "mask_rcnn_batch_size": 2,
    "mask_rcnn_min_size": 64,
    "mask_rcnn_max_size": 96,
    "mask_rcnn_sampled_boxes": 8,
    "mask_rcnn_channels": 16,
    "deeplab_steps": 4,
    "deeplab_batch_size": 2,
    "deeplab_crop_size": 64,
    "deeplab_output_stride": 8,
    **COMPUTED,
    # What is about loader processes asks for some: they cost a test more than what they do.
    "num_workers": 0,
    # It takes longer than all other stages together; None in its place leaves it on.
    "report_pass": False,
    "report_images": 1,
}

# For a run of which it is not looked at what is learnt.
FEW_STEPS = {
    "pretrained": "none",
    "cam_num_epoches": 1,
    "irn_num_epoches": 1,
    "exp_times": 1,
    "mask_rcnn_steps": 2,
    "mask_rcnn_drops": "",
    "deeplab_steps": 2,
    "deeplab_scales": "1.0",
    "deeplab_crf": False,
}
# At which the tiny networks learn enough for labels that are not empty.
RATES = {
    "cam_optimizer": "adamw",
    "cam_learning_rate": 1e-3,
    "irn_optimizer": "adamw",
    "irn_learning_rate": 1e-3,
    "mask_rcnn_learning_rate": 1e-3,
}


def default_stages():
    """Name the stages of a run of the tests that asks for no stage."""
    from misc.settings.flags import read_config
    from step import STAGES

    config = read_config(["--report_pass", "False"])
    return [stage.name for stage in STAGES if config.runs_stage(stage.flag)]


def arguments(folder, *more, **changes):
    return [*words_of({"run_dir": folder, **TINY, **changes}), *more]


def words_of(settings):
    """Give the words of a command line; a setting that is None is left to its default."""
    given = {name: str(value) for name, value in settings.items() if value is not None}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def start_server():
    """Start the process that all others are forked from, if it does not run."""
    forkserver.ensure_running()


def start(words, output, call=None, **environment):
    """Start `run_sample.main(words)`, or `call(*words)`, in a process group of its own."""
    process = _CONTEXT.Process(target=_child, args=(words, str(output), call, environment))
    process.start()
    return process


def finish(process, seconds=600):  # long enough for a busy machine
    """Wait; give the exit status."""
    process.join(seconds)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def run(words, output, call=None, **environment):
    return finish(start(words, output, call, **environment))


def start_ranks(words, output, number=2, call=None):
    """Start the ranks of a run on this machine, as torchrun does; each writes a file of its own."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    common |= {"WORLD_SIZE": number, "LOCAL_WORLD_SIZE": number}
    return [
        start(words, f"{output}{rank}", call, **common, RANK=rank, LOCAL_RANK=rank)
        for rank in range(number)
    ]


def free_port():
    """Give a port that no connection of other tests takes meanwhile: theirs lie above 32767."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def kill(process):
    """Kill the process and its loader processes as `kill -9` does; give whether it was alive."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has not come to make its group, or the group has ended
        process.kill()
    return finish(process) == -signal.SIGKILL


def _child(words, output, call, environment):
    os.setsid()
    os.environ.update({name: str(value) for name, value in environment.items()})
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    import torch

    import run_sample
    from tests.tiny_networks import tiny_detector_and_deeplab

    torch.set_num_threads(1)
    with tiny_detector_and_deeplab():
        sys.exit(run_sample.main(words) if call is None else call(*words))
