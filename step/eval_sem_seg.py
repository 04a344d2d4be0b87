"""Evaluate semantic labels (METHOD section 8)."""

from misc.evaluate.evaluation import measure_semantic_labels
from misc.files.dataset import Dataset
from misc.run.stage import StageFiles
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU on --chainer_eval_set, of each class and image too."""
    if ids := StageFiles("eval_sem_seg", config, dataset).measured_images():
        measure_semantic_labels(config, dataset, "eval_sem_seg", ids, config.sem_seg_out_dir)
