"""Evaluate semantic labels (METHOD section 8)."""

from functools import partial
from pathlib import Path

import numpy as np

import voc12
from misc.config import Config
from misc.imutils import read_label
from misc.metrics import confusion, mean_iou
from misc.plan import Plan, made_by
from misc.workers import map_images
from step.common import open_dataset, record_measures
from step.label_synthesis import read_semantic_label, semantic_paths


def run(config: Config) -> None:
    """Measure mIoU over --chainer_eval_set."""
    dataset = open_dataset(config)
    ids = dataset.split(config.chainer_eval_set)
    load = partial(count_image, dataset, config.sem_seg_out_dir)
    counts = map_images(ids, load, num_workers=config.num_workers, description="eval_sem_seg")
    total = sum((count for _, count in counts), start=np.int64(0))
    record_measures(config, "eval_sem_seg", {"mIoU": float(mean_iou(np.asarray(total)))})


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read."""
    ids = dataset.split(config.chainer_eval_set)
    paths = [semantic_paths(config.sem_seg_out_dir, image_id)[0] for image_id in ids]
    need = made_by("sem_seg_out_dir", "make_sem_seg", paths, read_label)
    return Plan(truths=ids, needs=[need])


def count_image(dataset: voc12.Dataset, folder: str | Path, image_id: str) -> np.ndarray:
    """Count an image's confusion, int64 (C + 1, C + 1)."""
    truth = dataset.semantic_label(image_id)
    return confusion(read_semantic_label(folder, image_id), truth, len(dataset.class_names) + 1)
