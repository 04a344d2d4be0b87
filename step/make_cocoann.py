"""Write instances as COCO annotations, for other programs."""

import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.atomic import write_bytes
from misc.files.coco import Described, coco_dataset, instance_records
from misc.files.dataset import Dataset
from misc.run.log import logger
from misc.run.stage import StageFiles, label_source_path
from misc.run.workers import run_images
from misc.settings.config import Config
from misc.train.supervision import Supervision, supervision_from

TITLES = {"irn": "IRNet's pseudo labels", "cam": "components of CAMs", "full": "ground truth"}


def run(config: Config, dataset: Dataset) -> None:
    """Write the pseudo instances of infer_list, and the ground truth of val_list."""
    truth = StageFiles("make_cocoann", config, dataset).measured_images()
    val_list = config.val_list if truth else None
    files = annotation_files(config.coco_name, config.supervision, config.infer_list, val_list)
    for path, (split, name) in files.items():
        labels = supervision_from(config, dataset, name, "instance")
        ids = labels.labelled(dataset.split(split))
        content = annotations(
            labels, ids, num_workers=config.num_workers, polygons=config.coco_polygons
        )
        write_bytes(path, json.dumps(content).encode())
        counts = len(content["annotations"]), len(content["images"])
        logger.info("%s: %d instances in %d images", path, *counts)


def check(stage: StageFiles, _coming: Collection[Path]) -> None:
    """Check that the two lists have files of different names."""
    config = stage.config
    val_list = config.val_list if stage.truth["val_list"] else None
    annotation_files(config.coco_name, config.supervision, config.infer_list, val_list)


def annotation_files(
    coco_name: str, supervision: Sequence[str], infer_list: str, val_list: str | None
) -> dict[Path, tuple[str, str]]:
    """Return the list and the supervision of each file of annotations.

    Raises:
        ValueError: two lists, which are named by their files, have one name.
    """
    wanted = [(infer_list, name) for name in supervision]
    if val_list is not None:
        wanted.append((val_list, "full"))
    files: dict[Path, tuple[str, str]] = {}
    for split, name in wanted:
        path = label_source_path(f"{coco_name}_{Path(split).stem}.json", name)
        if files.setdefault(path, (split, name)) != (split, name):
            raise ValueError(
                f"--val_list {split}: its annotations would be {path}, as those of --infer_list "
                f"{infer_list}; give the two lists files of different names"
            )
    return files


def annotations(
    labels: Supervision, ids: Sequence[str], *, num_workers: int, polygons: bool
) -> dict[str, Any]:
    """Collect the COCO annotations of images; see `misc.files.coco`."""
    dataset = labels.dataset
    described = run_images(
        ids,
        partial(describe_image, labels, polygons=polygons),
        num_workers=num_workers,
        description="make_cocoann",
    )
    images = [
        Described(number, dataset.file_name(image_id), *found)
        for number, image_id, found in zip(dataset.image_numbers(ids), ids, described, strict=True)
    ]
    categories = dict(zip(dataset.category_ids(), dataset.class_names, strict=True))
    title = f"{TITLES[labels.name]}, {dataset.name}"
    return coco_dataset(images, categories, description=title)


def describe_image(
    labels: Supervision, image_id: str, *, polygons: bool = False
) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    """Return an image's (H, W) and the COCO records of its instances, fragments left out."""
    found = labels.instances(image_id)
    categories = labels.dataset.category_ids()
    return found["mask"].shape[1:], instance_records(found, categories, polygons=polygons)
