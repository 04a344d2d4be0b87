"""Evaluate instance labels: VOC's AP of masks (METHOD section 8)."""

from misc.evaluate.evaluation import measure_instances
from misc.files.dataset import Dataset
from misc.run.stage import StageFiles
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Compute AP at four thresholds, how AP50 varies with ties, and the data set's own AP."""
    if ids := StageFiles("eval_ins_seg", config, dataset).measured_images():
        measure_instances(config, dataset, "eval_ins_seg", ids, config.ins_seg_out_dir)
