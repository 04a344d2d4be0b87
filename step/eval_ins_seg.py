"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from misc.evaluate.evaluation import measure_instances
from misc.evaluate.measures import record_measures
from misc.files.dataset import Dataset
from misc.run.stage import StageFiles
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute AP at four thresholds, how AP50 varies with ties, and the data set's own AP."""
    stage = StageFiles("eval_ins_seg", config, dataset)
    if ids := stage.measured_images():
        workers = config.num_workers
        found = measure_instances(dataset, ids, config.ins_seg_out_dir, num_workers=workers)
        record_measures(stage, *found)
