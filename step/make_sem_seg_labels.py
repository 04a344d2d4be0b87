"""Make semantic labels (METHOD section 7)."""

from collections.abc import Collection
from pathlib import Path

from misc.files.dataset import Dataset
from misc.run.label_synthesis import check_irnet, make_labels
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write the semantic labels that make_ins_seg_labels has not already written."""
    make_labels(config, dataset, "semantic")


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check IRNet's weights; see `check_irnet`."""
    check_irnet(config, coming)
