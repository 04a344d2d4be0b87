"""The effect of bfloat16 on the labels: the demo's networks and images, in both precisions."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import Row
from misc.argmax import label_map
from misc.cams import strided_cam
from misc.files.dataset import Dataset
from misc.imutils import normalize, with_mirror
from misc.indexing import propagate_to_edge
from misc.instances import upsample_scores
from misc.machine.device import Compute
from misc.metrics import confusion, mean_iou
from misc.run.open_dataset import open_dataset
from misc.settings.config import Config
from misc.settings.flags import read_config
from misc.train.inference import load_scales, scale_maps
from misc.train.networks import load_network
from net.resnet50_cam import CAM
from net.resnet50_irn import EdgeDisplacement

IMAGES = 40


def rows(*, full: bool = False) -> list[Row]:
    """Compare semantic labels from CAMs and boundaries of both precisions."""
    config = read_config(["--device", "cpu"])
    what = f"semantic labels of {IMAGES} demo images, all networks in bf16 against float32"
    goal = "the change is written down"
    if not Path(config.irn_weights_name).is_file():
        return [Row(what=what, goal=goal, note="needs the demo's weights: `make demo` first")]
    dataset = open_dataset(config)
    ids = dataset.split("train")[:: 400 // IMAGES][:IMAGES]
    labels = {p: _labels(config, dataset, ids, p) for p in ("fp32", "bf16")}
    changed = np.mean([np.mean(a != b) for a, b in zip(*labels.values(), strict=True)])
    truths = [dataset.semantic_label(image_id) for image_id in ids]
    count = len(dataset.class_names) + 1
    score = {}
    for precision, found in labels.items():
        counts = [confusion(p, t, count) for p, t in zip(found, truths, strict=True)]
        score[precision] = float(mean_iou(np.sum(counts, axis=0)))
    note = f"{100 * changed:.2f} % of pixels differ; mIoU {score['fp32']:.4f} in float32, "
    return [Row(what=what, goal=goal, met=True, note=note + f"{score['bf16']:.4f} in bf16")]


def _labels(config: Config, dataset: Dataset, ids: list[str], precision: str) -> list[np.ndarray]:
    compute = Compute(device=torch.device("cpu"), precision=precision)
    cam_network = CAM(len(dataset.class_names))
    cam_network = load_network(cam_network, "cam", config.cam_weights_name, compute)
    irn = EdgeDisplacement(crop_size=config.irn_pad)
    irn = load_network(irn, "irn", config.irn_weights_name, compute)
    labels = []
    for image_id in ids:
        keys = np.array(dataset.classes(image_id))
        size, images = load_scales(dataset, config.cam_scales, image_id)
        maps = scale_maps(cam_network, images, keys=keys, compute=compute)
        with torch.inference_mode(), compute.autocast():
            boundary, _ = irn(with_mirror(normalize(images[0])))
        walk = partial(propagate_to_edge, beta=config.beta, exp_times=config.exp_times)
        scores = upsample_scores(walk(strided_cam(maps, size), boundary), size)
        labels.append(label_map(scores, keys, config.sem_seg_bg_thres))
    return labels
