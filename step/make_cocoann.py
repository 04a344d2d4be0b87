"""Write instances as COCO annotations, for other programs (DESIGN, files a run makes)."""

import json
from pathlib import Path

from misc.files.atomic import write_bytes
from misc.learning.label_plans import labels_needs, learnt_truths, val_truths
from misc.learning.supervision import (
    annotations,
    supervised_path,
    supervision_of,
    supervisions,
)
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Files, Plan
from misc.running.truths import measured, to_measure
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write the pseudo instances of infer_list, and the ground truth of val_list."""
    wanted = [(config.infer_list, supervision) for supervision in supervisions(config, dataset)]
    truths = val_truths(config, dataset.split(config.val_list), "instance")
    if measured(dataset, truths, "make_cocoann", use="export as ground truth"):
        wanted.append((config.val_list, supervision_of(config, dataset, "full")))
    for split, supervision in dict.fromkeys(wanted):
        ids = supervision.labelled(dataset.split(split), "instance")
        content = annotations(supervision, ids, num_workers=config.num_workers)
        path = annotation_path(config.coco_name, split, supervision.name)
        write_bytes(path, json.dumps(content).encode())
        counts = len(content["annotations"]), len(content["images"])
        logger.info("%s: %d instances in %d images", path, *counts)


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    made = [(config.infer_list, name) for name in config.supervision]
    ids, val_ids = dataset.split(config.infer_list), dataset.split(config.val_list)
    truths = val_truths(config, val_ids, "instance")
    if to_measure(dataset, truths):
        made.append((config.val_list, "full"))
    return Plan(
        truths=[truths, *learnt_truths(config, ids, "instance")],
        needs=labels_needs(config, dataset, semantic=False),
        writes=[
            Files.of(annotation_path(config.coco_name, split, name))
            for split, name in dict.fromkeys(made)
        ],
        bytes_each=10_000_000,
    )


def annotation_path(name: str, split: str, supervision: str) -> Path:
    """Return the path of a split's annotations; a list is named by its file."""
    return supervised_path(f"{name}_{Path(split).stem}.json", supervision)
