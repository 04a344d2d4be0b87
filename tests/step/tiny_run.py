"""A tiny run of the real command line, for the tests of the stages."""

import re

import run_sample
from tests import forked

NETWORKS = {name: forked.TINY[name] for name in ("cam_network", "irn_network")}
TINY = forked.TINY | {
    "demo_train_images": 6,
    "demo_val_images": 2,
    "cam_num_epoches": 1,
    "irn_num_epoches": 1,
    "cam_batch_size": 3,
    "irn_batch_size": 3,
    "irn_crop_size": 64,
    "irn_pad": 64,
    "ins_seg_bg_thres": 0.25,
    "backbone": "resnet18",
    "mask_rcnn_channels": 32,
    "mask_rcnn_steps": 2,
    "mask_rcnn_drops": "1",
    "mask_rcnn_eval_steps": 2,
    "deeplab_steps": 2,
    "deeplab_eval_steps": 2,
}
PLACES = {
    "demo_root": "VOC2012",
    "log_name": "run",
    "metrics_file": "metrics.jsonl",
    "cam_weights_name": "cam.pth",
    "irn_weights_name": "irn.pth",
    "cam_out_dir": "cam",
    "ir_label_out_dir": "ir_label",
    "ins_seg_out_dir": "ins_seg",
    "sem_seg_out_dir": "sem_seg",
    "details_dir": "details",
    "report_file": "report.html",
    "tensorboard_dir": "tensorboard",
    "coco_name": "instances",
    "mask_rcnn_weights_name": "mask_rcnn.pth",
    "mask_rcnn_out_dir": "mask_rcnn",
    "deeplab_weights_name": "deeplab.pth",
    "deeplab_out_dir": "deeplab",
    "deeplab_server_dir": "server",
    "tables_file": "TABLES.md",
}


# What trains on the labels is dear, and off where it is not what a test is about.
NETWORKS_OFF = {
    f"{stage}_pass": False
    for stage in (
        "make_cocoann",
        "train_mask_rcnn",
        "eval_mask_rcnn",
        "train_deeplab",
        "eval_deeplab",
    )
}


def arguments(folder, *more, networks=False, **changes):
    """Give the command line of a tiny run in a folder."""
    places = {name: folder / place for name, place in PLACES.items()}
    settings = {**TINY, **places, **({} if networks else NETWORKS_OFF), **changes}
    return [*forked.words_of(settings), *more]


def only(stage, folder, **changes):
    """Run one stage; give the exit status."""
    return run_sample.main(arguments(folder, f"--{stage}_pass", "True", **changes))


def error_line(capsys):
    """Give what was printed after the progress bars, which is one line."""
    lines = [line for line in capsys.readouterr().err.split("\n") if "\r" not in line and line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def articles(page):
    """Give the images of a report's gallery, and the titles of each one's pictures."""
    found = re.findall(r"<article><h3>(\S+): .*?</h3>(.*?)</article>", page, re.DOTALL)
    return {image_id: re.findall(r'alt="(.*?)"', pictures) for image_id, pictures in found}
