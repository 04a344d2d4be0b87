"""Write instances as COCO annotations, for other programs."""

import json
from collections.abc import Collection
from pathlib import Path

from misc.files.atomic import write_bytes
from misc.files.dataset import Dataset
from misc.run.ground_truth import images_with_ground_truth
from misc.run.log import logger
from misc.run.stage import supervised_path
from misc.settings.config import Config
from misc.train.supervision import (
    annotations,
    supervision_of,
)


def run(config: Config, dataset: Dataset) -> None:
    """Write the pseudo instances of infer_list, and the ground truth of val_list."""
    has_truth = images_with_ground_truth(
        dataset,
        dataset.split(config.val_list),
        ("instance",),
        stage="make_cocoann",
        source=f"--val_list {config.val_list}",
        use="exported",
    )
    for path, (split, name) in exported(config, has_truth=bool(has_truth)).items():
        supervision = supervision_of(config, dataset, name)
        ids = supervision.labelled(dataset.split(split), "instance")
        content = annotations(supervision, ids, num_workers=config.num_workers)
        write_bytes(path, json.dumps(content).encode())
        counts = len(content["annotations"]), len(content["images"])
        logger.info("%s: %d instances in %d images", path, *counts)


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Raise as `exported`, for the preflight."""
    found = dataset.with_truth(dataset.split(config.val_list), kinds=("instance",))
    exported(config, has_truth=bool(found))


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
