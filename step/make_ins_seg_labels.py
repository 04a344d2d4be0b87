"""Make instance labels (METHOD section 6)."""

import voc12
from misc.config import Config
from misc.plan import Plan
from step.label_synthesis import instance_path, make_labels, plan_labels


def run(config: Config) -> None:
    """Write instance labels; semantic ones too where their stage is asked for.

    The network then runs once: make_sem_seg_labels finds its outputs finished.
    """
    make_labels(config, instance=True, semantic=config.asked("make_sem_seg_pass"))


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read and written."""
    return plan_labels(
        config,
        dataset,
        lambda image_id: [instance_path(config.ins_seg_out_dir, image_id)],
    )
