"""Make instance labels (METHOD section 6)."""

from misc.files.labels import INSTANCE_FILES
from misc.running.dataset import Dataset
from misc.running.label_synthesis import make_labels, plan_labels
from misc.running.plan import Plan
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write instance labels; semantic ones, too, where their stage is chosen.

    The network then runs once: make_sem_seg_labels finds its outputs finished.
    """
    make_labels(config, dataset, "instance", *["semantic"] * config.runs_stage("make_sem_seg_pass"))


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    folder, crf = config.ins_seg_out_dir, config.ins_seg_crf
    return plan_labels(config, dataset, folder, INSTANCE_FILES[:2], crf=crf)
