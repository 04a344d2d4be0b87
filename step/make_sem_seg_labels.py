"""Make semantic labels (METHOD section 7)."""

from misc.config import Config
from step.label_synthesis import make_labels


def run(config: Config) -> None:
    """Write the semantic labels that make_ins_seg_labels has not made on its way."""
    make_labels(config, instance=False, semantic=True)
