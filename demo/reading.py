"""Opens the demo data of a run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from demo.making import make_demo, read_marker
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.run.log import logger
from misc.settings.config import Config


def from_config(config: Config, *, read: Callable[..., Dataset]) -> Dataset:
    """Open the demo data; draw them first if --dataset is demo and they are missing.

    Args:
        config: the settings.
        read: the reader of the layout that the data have.
    """
    root = config.data_root or config.demo_root
    if config.dataset == "demo":
        if not Path(root).is_dir():
            logger.info("making the demo data in %s", root)
        make = partial(
            make_demo,
            root,
            train=config.demo_train_images,
            val=config.demo_val_images,
            seed=config.demo_seed,
        )
        ranks.on_first(make)
    return read(
        root,
        name="demo",
        made_from=read_marker(root),
        sbd_root=config.sbd_root,
        limit=config.limit,
    )
