"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.instance_files import load_instances
from misc.files.labels import INSTANCE_FILES, read_instance_labels
from misc.files.levels import LEVELS, levels_path, load_levels
from misc.instances import split_winners
from misc.measuring.details import after_levels, plain, threshold_details, write_details
from misc.measuring.evaluation import (
    Records,
    instance_truth,
    match_found,
    match_own,
    precision_measures,
)
from misc.measuring.measures import record_measures
from misc.metrics import (
    ImageMatches,
    average_precision,
    average_precision_spread,
    mean_average_precision,
)
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.open_dataset import evaluated_truths
from misc.running.plan import Files, Plan, Truths, made_by
from misc.running.truths import measured, to_measure
from misc.running.workers import map_images
from misc.settings.config import Config

CURVE = range(4, len(LEVELS), 5)  # every fifth level: 0.05, 0.10, …


def run(config: Config, dataset: Dataset) -> None:
    """Compute AP at four thresholds, AP50's spread, its curve, and the data set's own AP."""
    ids = measured(dataset, _truths(config, dataset), "eval_ins_seg")
    if not ids:
        return
    load = partial(match_at_levels, dataset, config.ins_seg_out_dir)
    results = map_images(ids, load, num_workers=config.num_workers, description="eval_ins_seg")
    records, own, missing = [], [], 0
    by_level = [Records() for _ in CURVE]
    for _, (record, at_levels, own_matches) in results:
        records.append(record)
        own.append(own_matches)
        missing += not at_levels
        for collected, found in zip(by_level, at_levels, strict=False):
            collected.add(found)
    num_classes = len(dataset.class_names)
    by_class = average_precision(records, (0.5,), num_classes=num_classes)[0]
    spread = average_precision_spread(records, num_classes=num_classes)
    details: dict[str, Any] = {"AP50": plain(by_class)}
    if missing:
        logger.info(
            "no curve over --ins_seg_bg_thres: %d images have no score levels, which "
            "make_ins_seg_labels writes for the images of --chainer_eval_set",
            missing,
        )
    else:
        lines = curves(by_level, num_classes)
        details["thresholds"] = threshold_details(
            "ins_seg_bg_thres",
            config.ins_seg_bg_thres,
            lines,
            before=after_levels(config.ins_seg_out_dir, "make_ins_seg_labels"),
        )
    write_details(config, "eval_ins_seg", details)
    record_measures(
        config,
        dataset,
        "eval_ins_seg",
        {
            **precision_measures(records, num_classes),
            "AP50 mean of 10 orders": spread["mean"],
            "AP50 deviation of 10 orders": spread["std"],
            **dataset.instance_measures(own),
        },
    )


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read."""
    truths = _truths(config, dataset)
    ids = to_measure(dataset, truths)
    files = Files.of_images(config.ins_seg_out_dir, INSTANCE_FILES[0], ids)
    need = made_by("ins_seg_out_dir", "make_ins_seg", files, load_instances)
    return Plan(truths=[truths], needs=[need])


def _truths(config: Config, dataset: Dataset) -> Truths:
    return evaluated_truths(config, dataset, ("instance",))


def match_at_levels(
    dataset: Dataset, folder: str | Path, image_id: str
) -> tuple[ImageMatches, list[ImageMatches], Any]:
    """Match an image's detections to its ground truth, and those at each level of CURVE.

    The latter is empty where the image has no score levels. Last comes what the data set's own
    measures need.
    """
    labels = read_instance_labels(folder, image_id)
    truth = instance_truth(dataset, image_id)
    record, own = match_found(labels, truth), match_own(dataset, image_id, labels)
    if not levels_path(folder, image_id).is_file():
        return record, [], own
    levels = load_levels(levels_path(folder, image_id))
    # Level by level: the masks of all at once would take gigabytes on large images.
    by_level = [
        match_found(split_winners(levels.winners(n), levels.peaks, levels.classes), truth)
        for n in CURVE
    ]
    return record, by_level, own


def curves(
    by_level: Sequence[Records], num_classes: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Compute AP50, AP25 and AP70 over the levels of CURVE, from the records at each."""
    ious = {"AP50": 0.5, "AP25": 0.25, "AP70": 0.7}
    means = [
        mean_average_precision(
            average_precision(found.joined, tuple(ious.values()), num_classes=num_classes)
        )
        for found in by_level
    ]
    thresholds = [float(LEVELS[number]) for number in CURVE]
    return {name: (thresholds, [float(row[i]) for row in means]) for i, name in enumerate(ious)}
