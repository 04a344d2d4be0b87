"""Write instances as COCO annotations, for other programs (DESIGN, files a run makes)."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import voc12
from misc.coco import coco_dataset, instance_records
from misc.config import Config
from misc.files import write_bytes
from misc.log import logger
from misc.plan import Plan
from misc.workers import collect_images
from step.common import open_dataset
from step.supervision import (
    Supervision,
    labels_needs,
    learnt_truths,
    supervised_path,
    supervision_of,
    supervisions,
    val_truths,
)


def run(config: Config) -> None:
    """Write the pseudo instances of infer_list, and the ground truth of val_list."""
    dataset = open_dataset(config)
    wanted = [(config.infer_list, supervision) for supervision in supervisions(config, dataset)]
    wanted.append((config.val_list, supervision_of(config, dataset, "full")))
    for split, supervision in dict.fromkeys(wanted):
        ids = supervision.labelled(dataset.split(split), "instance")
        content = annotations(supervision, ids, num_workers=config.num_workers)
        path = annotation_path(config.coco_name, split, supervision.name)
        write_bytes(path, json.dumps(content).encode())
        counts = len(content["annotations"]), len(content["images"])
        logger.info("%s: %d instances in %d images", path, *counts)


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read and written."""
    kinds = [(config.infer_list, name) for name in config.supervision]
    ids, val_ids = dataset.split(config.infer_list), dataset.split(config.val_list)
    return Plan(
        truths=[
            val_truths(config, val_ids, "instance"),
            *learnt_truths(config, ids, "instance"),
        ],
        needs=labels_needs(config, dataset, semantic=False),
        writes=[
            annotation_path(config.coco_name, split, name)
            for split, name in dict.fromkeys([*kinds, (config.val_list, "full")])
        ],
        bytes_each=10_000_000,
    )


def annotation_path(name: str, split: str, supervision: str) -> Path:
    """Give the path of a split's annotations; a list's file stands for its name."""
    return supervised_path(f"{name}_{Path(split).stem}.json", supervision)


def annotations(
    supervision: Supervision, ids: Sequence[str], *, num_workers: int
) -> dict[str, Any]:
    """Collect the COCO annotations of images; `misc.coco.coco_dataset` says what they are."""
    described = collect_images(
        ids,
        partial(describe_image, supervision),
        num_workers=num_workers,
        description="make_cocoann",
    )
    return coco_dataset(
        [
            (supervision.dataset.image_path(i).name, *found)
            for i, found in zip(ids, described, strict=True)
        ],
        supervision.dataset.class_names,
    )


def describe_image(
    supervision: Supervision, image_id: str
) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    """Return an image's (H, W) and the COCO records of its instances, fragments left out."""
    found = supervision.whole_instances(image_id)
    return found["mask"].shape[1:], instance_records(found)
