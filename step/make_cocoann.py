"""Write instances as COCO annotations, for other programs."""

import json
from pathlib import Path

from misc.files.atomic import write_bytes
from misc.learning.label_plans import labels_needs, learnt_truths, val_truths
from misc.learning.supervision import (
    annotations,
    supervised_path,
    supervision_of,
)
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Files, Plan
from misc.running.truths import measured, to_measure
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write the pseudo instances of infer_list, and the ground truth of val_list."""
    truths = val_truths(config, dataset.split(config.val_list), "instance")
    has_truth = bool(measured(dataset, truths, "make_cocoann", use="export as ground truth"))
    for path, (split, name) in exported(config, has_truth=has_truth).items():
        supervision = supervision_of(config, dataset, name)
        ids = supervision.labelled(dataset.split(split), "instance")
        content = annotations(supervision, ids, num_workers=config.num_workers)
        write_bytes(path, json.dumps(content).encode())
        counts = len(content["annotations"]), len(content["images"])
        logger.info("%s: %d instances in %d images", path, *counts)


def exported(config: Config, *, has_truth: bool) -> dict[Path, tuple[str, str]]:
    """Return the list and the supervision of each file of annotations.

    Raises:
        ValueError: two lists, which are named by their files, have one name.
    """
    wanted = [(config.infer_list, name) for name in config.supervision]
    if has_truth:
        wanted.append((config.val_list, "full"))
    files: dict[Path, tuple[str, str]] = {}
    for split, name in wanted:
        path = supervised_path(f"{config.coco_name}_{Path(split).stem}.json", name)
        if files.setdefault(path, (split, name)) != (split, name):
            raise ValueError(
                f"--val_list {split}: its annotations would be {path}, as those of --infer_list "
                f"{config.infer_list}; give the two lists files of different names"
            )
    return files


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    ids, val_ids = dataset.split(config.infer_list), dataset.split(config.val_list)
    truths = val_truths(config, val_ids, "instance")
    files = exported(config, has_truth=bool(to_measure(dataset, truths)))
    return Plan(
        truths=[truths, *learnt_truths(config, ids, "instance")],
        needs=labels_needs(config, dataset, semantic=False),
        writes=[Files.of(*files)],
        bytes_each=10_000_000,
    )
