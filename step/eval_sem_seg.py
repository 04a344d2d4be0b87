"""Evaluate semantic labels (METHOD section 8)."""

from functools import partial

from misc.evaluate.details import Confusions, semantic_details, write_details
from misc.evaluate.evaluation import count_image
from misc.evaluate.measures import record_measures
from misc.files.dataset import Dataset
from misc.metrics import mean_iou
from misc.run.open_dataset import evaluated_images
from misc.run.workers import map_images
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU on --chainer_eval_set, of each class and image too."""
    ids = evaluated_images(config, dataset, ("semantic",), stage="eval_sem_seg")
    if not ids:
        return
    load = partial(count_image, dataset, config.sem_seg_out_dir)
    found = Confusions.of(len(dataset.class_names) + 1)
    for image_id, count in map_images(
        ids, load, num_workers=config.num_workers, description="eval_sem_seg"
    ):
        found.add(image_id, count)
    record_measures(config, dataset, "eval_sem_seg", {"mIoU": float(mean_iou(found.total))})
    write_details(config, "eval_sem_seg", semantic_details(found))
