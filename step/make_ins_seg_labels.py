"""Make instance labels (METHOD section 6)."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.synthesis import make_labels
from misc.settings.config import Config
from misc.train.networks import check_weights, irnet_from, load_irnet


def run(config: Config, dataset: Dataset) -> None:
    """Write instance labels; semantic ones, too, where their stage is chosen.

    The network then runs once: make_sem_seg_labels finds its outputs finished.
    """
    kinds = ["instance", *["semantic"] * config.runs_stage("make_sem_seg_pass")]
    make_labels(config, dataset, load_irnet(config, compute_of(config)), *kinds)


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check IRNet's weights; see `check_weights`."""
    check_weights(partial(irnet_from, config), "irn", [config.irn_weights_name], coming)
