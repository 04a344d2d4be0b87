"""Make semantic labels (METHOD section 7)."""

from misc.files.labels import SEMANTIC_FILES
from misc.running.dataset import Dataset
from misc.running.label_synthesis import make_labels, plan_labels
from misc.running.plan import Plan
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write the semantic labels that make_ins_seg_labels has not already written."""
    make_labels(config, dataset, "semantic")


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    folder, crf = config.sem_seg_out_dir, config.sem_seg_crf
    return plan_labels(config, dataset, folder, SEMANTIC_FILES[:2], crf=crf)
