"""The one place that opens the data set of a run."""

import importlib
from collections.abc import Callable, Mapping
from functools import partial

import cityscapes
import coco
import demo
import folder
import voc12
from misc.files.dataset import Dataset
from misc.settings.config import DATASETS, Config

# By --dataset. The demo is laid out like VOC, and read by its reader.
OPENERS: Mapping[str, Callable[[Config], Dataset]] = {
    "voc12": voc12.from_config,
    "cityscapes": cityscapes.from_config,
    "coco14": coco.from_config,
    "coco17": coco.from_config,
    "folder": folder.from_config,
    "demo": partial(demo.from_config, read=voc12.Dataset),
}


def open_dataset(config: Config) -> Dataset:
    """Open the data set that --dataset names; the demo data are drawn first, if missing."""
    # Demo data are the demo's, by whatever name their folder comes.
    is_demo = config.data_root is not None and bool(demo.read_marker(config.data_root))
    name = "demo" if is_demo else config.dataset
    return OPENERS[name](config) if name in OPENERS else _opener_of(name)(config)


def _opener_of(module: str) -> Callable[[Config], Dataset]:
    """Return the `from_config` of a module that --dataset names."""
    accepted = f"accepted are {', '.join(DATASETS)}, or a module that can be imported from here"
    try:
        opener: Callable[[Config], Dataset] = importlib.import_module(module).from_config
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"--dataset {module}: no module with from_config ({error}); {accepted}"
        ) from error
    if opener in OPENERS.values():
        raise ValueError(f"--dataset {module}: a module of this program, no data set; {accepted}")
    return opener
