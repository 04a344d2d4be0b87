"""Make instance labels (METHOD section 6)."""

from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.synthesis import make_labels
from misc.settings.config import Config
from net.build import check_networks, open_network

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Write instance labels; semantic ones, too, where their stage is chosen.

    The network then runs once: make_sem_seg_labels finds its outputs finished.
    """
    kinds = ["instance", *["semantic"] * config.runs_stage("make_sem_seg_pass")]
    model = open_network(config, "irn", len(dataset.class_names), compute_of(config))
    make_labels(config, dataset, model, *kinds)
