"""The demo: data drawn by formula, laid out like VOC and read as VOC is."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from demo.making import make_demo, read_marker
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.settings.config import Config

__all__ = ["from_config", "make_demo", "read_marker"]

_log = logging.getLogger("irnet")


def from_config(config: Config, *, read: Callable[..., Dataset]) -> Dataset:
    """Open the demo data with VOC's reader; draw them first if --dataset is demo."""
    root = config.data_root or config.demo_root
    if config.dataset == "demo":
        if not Path(root).is_dir():
            _log.info("making the demo data in %s", root)
        train, val, seed = config.demo_train_images, config.demo_val_images, config.demo_seed
        ranks.on_first(partial(make_demo, root, train=train, val=val, seed=seed))
    return read(root, name="demo", sbd_root=config.sbd_root, limit=config.limit)
