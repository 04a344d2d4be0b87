"""Make semantic labels (METHOD section 7)."""

from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.synthesis import make_labels
from misc.settings.config import Config
from net.build import check_networks, open_network

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Write the semantic labels that make_ins_seg_labels has not already written."""
    model = open_network(config, "irn", len(dataset.class_names), compute_of(config))
    make_labels(config, dataset, model, "semantic")
