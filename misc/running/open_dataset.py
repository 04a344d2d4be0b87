"""The one place that opens the data set of a run, and what every stage reads of it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

import voc12
from misc.machine import ranks
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Truths
from misc.settings.config import Config


def open_dataset(config: Config) -> Dataset:
    """Open the data set; without --voc12_root generate the demo data first, if missing."""
    root = data_root(config)
    if config.voc12_root is None:
        if not Path(root).is_dir():
            logger.info("making the demo data in %s", root)
        make = partial(
            voc12.make_demo,
            root,
            train=config.demo_train_images,
            val=config.demo_val_images,
            seed=config.demo_seed,
        )
        ranks.on_first(make)
    return voc12.Dataset(
        root, sbd_root=config.sbd_root, cache_dir=config.cache_dir, limit=config.limit
    )


def data_root(config: Config) -> str:
    """Return the data set's folder: --voc12_root, or where the demo data are."""
    return config.voc12_root or config.demo_root


def evaluated_ids(config: Config, dataset: Dataset) -> list[str]:
    """Return the images of --chainer_eval_set; none where that list is missing.

    For stages that do more for images that can be evaluated, but do not require the list.
    """
    try:
        return dataset.split(config.chainer_eval_set)
    except FileNotFoundError:
        return []


def evaluated_truths(config: Config, ids: Sequence[str], kinds: Sequence[str]) -> Truths:
    """Return the need for ground truth of all images of --chainer_eval_set."""
    return Truths(flag="chainer_eval_set", name=config.chainer_eval_set, ids=ids, kinds=kinds)


def label_rows(dataset: Dataset, ids: Sequence[str]) -> np.ndarray:
    """Return the image-level labels, float32 (N, C) of 0 and 1, read by the first rank only."""
    return ranks.on_first(lambda: dataset.image_labels(ids))


def image_labels(dataset: Dataset, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Return for each image the classes in its image-level label: `keys`, int64 (K,)."""
    labels = label_rows(dataset, ids)
    return {i: np.flatnonzero(row) for i, row in zip(ids, labels, strict=True)}


def identify(config: Config, ids: Sequence[str] | None = None) -> str:
    """Return the identity of a data set, or of a list of it, independent of its path."""
    return voc12.identify(data_root(config), ids)


def published_figures(config: Config, stage: str, split: str) -> dict[str, float]:
    """Return the published figures for a stage's measures on a split, if there are any."""
    if not config.preset.startswith("voc12"):
        return {}
    if not voc12.is_published_split(data_root(config), split):
        return {}
    return voc12.PUBLISHED.get((stage, split), {})
