"""Evaluate semantic labels (METHOD section 8)."""

from misc.evaluate.evaluation import measure_semantic_labels
from misc.evaluate.measures import record_measures
from misc.files.dataset import Dataset
from misc.run.stage import StageFiles
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute mIoU on --chainer_eval_set, of each class and image too."""
    stage = StageFiles("eval_sem_seg", config, dataset)
    if ids := stage.measured_images():
        workers = config.num_workers
        found = measure_semantic_labels(dataset, ids, config.sem_seg_out_dir, num_workers=workers)
        record_measures(stage, *found)
