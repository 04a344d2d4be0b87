"""Evaluate semantic labels (METHOD section 8)."""

from functools import partial

import numpy as np

import voc12
from misc.config import Config
from misc.imutils import read_label
from misc.metrics import confusion, mean_iou
from misc.workers import map_images
from step.common import open_dataset, record_measures
from step.label_synthesis import semantic_paths


def run(config: Config) -> None:
    """Measure mIoU over --chainer_eval_set."""
    dataset = open_dataset(config)
    ids = dataset.split(config.chainer_eval_set)
    load = partial(count_image, dataset, config.sem_seg_out_dir)
    counts = map_images(ids, load, num_workers=config.num_workers, description="eval_sem_seg")
    total = sum((count for _, count in counts), start=np.int64(0))
    record_measures(config, "eval_sem_seg", {"mIoU": float(mean_iou(np.asarray(total)))})


def count_image(dataset: voc12.Dataset, folder: str, image_id: str) -> np.ndarray:
    """Count an image's confusion, int64 (C + 1, C + 1)."""
    path, _ = semantic_paths(folder, image_id)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no semantic label; the stage make_sem_seg_labels makes it: "
            "--make_sem_seg_pass True, with this image in --infer_list"
        )
    truth = dataset.semantic_label(image_id)
    return confusion(read_label(path), truth, len(dataset.class_names) + 1)
