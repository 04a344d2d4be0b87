"""Make semantic labels (METHOD section 7)."""

import voc12
from misc.config import Config
from misc.plan import Plan
from step.label_synthesis import make_labels, plan_labels, semantic_paths


def run(config: Config) -> None:
    """Write the semantic labels that make_ins_seg_labels has not made on its way."""
    make_labels(config, instance=False, semantic=True)


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read and written."""
    return plan_labels(
        config,
        dataset,
        lambda image_id: semantic_paths(config.sem_seg_out_dir, image_id),
    )
