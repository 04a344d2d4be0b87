"""The measures of a trained detector: VOC's AP, COCO's AP, the data set's own."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.evaluate.details import network_details, plain, write_details
from misc.evaluate.evaluation import (
    dataset_matches,
    instance_truth,
    match_found,
    precision_measures,
)
from misc.evaluate.measures import record_measures
from misc.files.coco_precision import CocoMatches, coco_measures, match_masks
from misc.files.dataset import Dataset
from misc.files.instance_files import load_instances
from misc.files.labels import instance_path
from misc.machine import ranks
from misc.metrics import ImageMatches, average_precision
from misc.run.log import logger
from misc.run.workers import collect_images
from misc.settings.config import Config

COCO_AP = "COCO AP"


def measure_detections(
    config: Config,
    dataset: Dataset,
    stage: str,
    ids: Sequence[str],
    folder: Path,
    *,
    split: str,
    supervision: str,
) -> None:
    """Record the AP of images' detections in a folder, VOC's of each class too."""
    matches = collect_images(
        ids,
        partial(_match_image, dataset, folder),
        num_workers=config.num_workers,
        description=stage,
    )
    by_voc, own, by_coco = map(list, zip(*matches, strict=True))
    num_classes = len(dataset.class_names)

    def record() -> None:
        measures = precision_measures(by_voc, num_classes) | dataset.instance_measures(own)
        if COCO_AP not in measures:
            measures |= {n: v for n, v in coco_measures(by_coco).items() if n == COCO_AP}
        record_measures(config, dataset, stage, measures, split=split, supervision=supervision)
        by_class = average_precision(by_voc, (0.5,), num_classes=num_classes)[0]
        name = network_details(stage, supervision)
        write_details(config, name, {"AP50": plain(by_class)}, split=split)
        if COCO_AP not in measures:
            logger.info("%s is left out: no image of --val_list %s has an object", COCO_AP, split)

    ranks.on_first(record)


def _match_image(
    dataset: Dataset, folder: Path, image_id: str
) -> tuple[ImageMatches, Any, CocoMatches]:
    """Match an image's detections by VOC's, the data set's own, and COCO's rule."""
    found = load_instances(instance_path(folder, image_id))
    masks, classes, regions, region_classes = truth = instance_truth(dataset, image_id)
    own = dataset_matches(dataset, image_id, found)
    if isinstance(own, CocoMatches):
        return match_found(found, truth), own, own
    crowd = np.arange(len(masks) + len(regions)) >= len(masks)
    by_coco = match_masks(
        found,
        np.concatenate([masks, regions]) if len(regions) else masks,
        np.concatenate([classes, region_classes]),
        crowd=crowd,
    )
    return match_found(found, truth), own, by_coco
