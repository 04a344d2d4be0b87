"""Make instance labels (METHOD section 6)."""

from misc.config import Config
from step.label_synthesis import make_labels


def run(config: Config) -> None:
    """Write instance labels; semantic ones too where their stage is asked for.

    The network then runs once: make_sem_seg_labels finds its outputs finished.
    """
    make_labels(config, instance=True, semantic=config.asked("make_sem_seg_pass"))
