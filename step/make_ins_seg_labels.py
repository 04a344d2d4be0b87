"""Make instance labels (METHOD section 6)."""

from collections.abc import Collection
from pathlib import Path

from misc.files.dataset import Dataset
from misc.run.label_synthesis import check_irnet, make_labels
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write instance labels; semantic ones, too, where their stage is chosen.

    The network then runs once: make_sem_seg_labels finds its outputs finished.
    """
    make_labels(config, dataset, "instance", *["semantic"] * config.runs_stage("make_sem_seg_pass"))


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check IRNet's weights; see `check_irnet`."""
    check_irnet(config, coming)
