"""Evaluate semantic labels (METHOD section 8)."""

from functools import partial
from pathlib import Path

import numpy as np

from misc.files.images import read_label
from misc.files.labels import SEMANTIC_FILES
from misc.files.levels import LEVELS, levels_path, load_levels
from misc.measuring.details import (
    Confusions,
    after_levels,
    semantic_details,
    threshold_details,
    write_details,
)
from misc.measuring.evaluation import Occurring, count_label
from misc.measuring.measures import record_measures
from misc.metrics import level_confusions, mean_iou
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.open_dataset import evaluated_truths
from misc.running.plan import Files, Plan, Truths, made_by
from misc.running.truths import measured, to_measure
from misc.running.workers import map_images
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU on --chainer_eval_set, at --sem_seg_bg_thres and over the curve."""
    ids = measured(dataset, _truths(config, dataset), "eval_sem_seg")
    if not ids:
        return
    load = partial(count_at_levels, dataset, config.sem_seg_out_dir)
    results = map_images(ids, load, num_workers=config.num_workers, description="eval_sem_seg")
    num_labels = len(dataset.class_names) + 1
    by_threshold = np.zeros((len(LEVELS), num_labels, num_labels), np.int64)
    found, without_levels = Confusions.of(num_labels), 0
    for image_id, (count, counts) in results:
        found.add(image_id, count)
        if counts is None:
            without_levels += 1
        else:
            counts.add_to(by_threshold)
    details = semantic_details(found)
    if without_levels:
        logger.info(
            "no curve over --sem_seg_bg_thres: %d images have no score levels, which "
            "make_sem_seg_labels writes for the images of --chainer_eval_set",
            without_levels,
        )
    else:
        lines = {"mIoU": (LEVELS.tolist(), mean_iou(by_threshold).tolist())}
        details["thresholds"] = threshold_details(
            "sem_seg_bg_thres",
            config.sem_seg_bg_thres,
            lines,
            before=after_levels(config.sem_seg_out_dir, "make_sem_seg_labels"),
        )
    write_details(config, "eval_sem_seg", details)
    record_measures(
        config, dataset, "eval_sem_seg", {"mIoU": float(mean_iou(np.array(details["confusion"])))}
    )


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read."""
    truths = _truths(config, dataset)
    ids = to_measure(dataset, truths)
    files = Files.of_images(config.sem_seg_out_dir, SEMANTIC_FILES[0], ids)
    need = made_by("sem_seg_out_dir", "make_sem_seg", files, read_label)
    return Plan(truths=[truths], needs=[need])


def _truths(config: Config, dataset: Dataset) -> Truths:
    return evaluated_truths(config, dataset, ("semantic",))


def count_at_levels(
    dataset: Dataset, folder: str | Path, image_id: str
) -> tuple[np.ndarray, Occurring | None]:
    """Compute an image's confusion, int64 (C + 1, C + 1), and that at each level.

    The latter is None where the image has no score levels.
    """
    truth = dataset.semantic_label(image_id)
    count = count_label(dataset, folder, image_id, truth)
    if not levels_path(folder, image_id).is_file():
        return count, None
    levels = load_levels(levels_path(folder, image_id))
    labels = np.concatenate([[0], levels.classes + 1])[levels.index]
    counts = level_confusions(labels, levels.level, truth, len(LEVELS), len(count))
    return count, Occurring.of(counts)
