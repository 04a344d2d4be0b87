"""A sweep of twelve settings against making the labels once and evaluating them twelve times."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from benchmarks.harness import Row
from benchmarks.scenes import blobs, boundary, displacement
from misc.files.cam_files import write_cams
from misc.files.dataset import Dataset
from misc.run.open_dataset import open_dataset
from misc.settings.config import Config
from misc.settings.flags import read_config
from misc.view import sweep_page
from net.resnet50_irn import EdgeDisplacement
from step import eval_ins_seg, eval_sem_seg, make_ins_seg_labels

IMAGES = 20
GRID = "sem_seg_bg_thres=0.15:0.4:0.05 beta=5,10"
POINTS = 12

Fields = tuple[torch.Tensor, torch.Tensor]


def rows(*, full: bool = False) -> list[Row]:
    """Measure it on drawn data, with fields and CAMs as a trained network's."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("step.make_ins_seg_labels.open_network", _irnet),
        mock.patch("misc.evaluate.sweep.open_network", _irnet),
    ):
        data = {"run_dir": folder, "demo_train_images": IMAGES, "demo_val_images": 1}
        flags = {**data, "precision": "fp32", "sweep": GRID, "backbone": "resnet18"}
        config = read_config(
            [w for name, value in flags.items() for w in (f"--{name}", str(value))]
        )
        _make_inputs(config)
        once = _seconds(config, make_ins_seg_labels.run)
        evaluating = sum(_seconds(config, stage.run) for stage in (eval_ins_seg, eval_sem_seg))
        swept = _seconds(config, sweep_page.run)
    allowed = once + POINTS * evaluating
    return [
        Row(
            what=f"sweep of {POINTS} settings, {IMAGES} drawn images",
            goal=f"≤ 1.5 × labels once + {POINTS} × evaluating",
            seconds=swept,
            met=swept <= 1.5 * allowed,
            note=f"labels once {once:.1f} s, evaluating {evaluating:.1f} s: "
            f"{swept / allowed:.2f} × their sum, {swept / once:.2f} × the labels alone",
        )
    ]


def _make_inputs(config: Config) -> None:
    dataset = open_dataset(config)
    Path(config.irn_weights_name).parent.mkdir(parents=True)
    Path(config.irn_weights_name).touch()
    for number, image_id in enumerate(dataset.split(config.infer_list)):
        keys = np.array(dataset.classes(image_id))
        size = dataset.image(image_id).shape[:2]
        # As the network's own: at stride 16.
        grid = -(-size[0] // 16), -(-size[1] // 16)
        maps = np.stack([blobs(*grid, number + key) for key in keys])
        path = Path(config.cam_out_dir, f"{image_id}.npz")
        write_cams(path, keys=keys, maps=[maps], size=size)


def _irnet(config: Config, *_: object) -> Callable[[torch.Tensor], Fields]:
    """Return an untrained network, whose time counts, and fields in place of what it finds."""
    network = EdgeDisplacement(crop_size=config.irn_pad, backbone=config.backbone).eval()

    def fields(pair: torch.Tensor) -> Fields:
        grid = network(pair)[0].shape[1:]
        return boundary(*grid), displacement(*grid)

    return fields


def _seconds(config: Config, run: Callable[[Config, Dataset], None]) -> float:
    start = time.perf_counter()
    run(config, open_dataset(config))
    return time.perf_counter() - start
