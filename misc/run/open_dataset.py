"""The one place that opens the data set of a run, and what every stage reads of it."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

import cityscapes
import coco
import demo
import folder
import voc12
from misc.files.cam_files import CamFolder
from misc.files.cam_names import find_cams
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.run.log import logger
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
    try:
        opener: Callable[[Config], Dataset] = importlib.import_module(module).from_config
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"--dataset {module}: no module with from_config ({error}); accepted are "
            f"{', '.join(DATASETS)}, or a module that can be imported from here"
        ) from error
    return opener


def evaluated_images(
    config: Config,
    dataset: Dataset,
    kinds: Sequence[str],
    *,
    stage: str,
    flag: str = "chainer_eval_set",
) -> list[str]:
    """Return those images of a flag's list that have ground truth of these kinds, and log how many.

    Raises:
        ValueError: some have none, in a data set in which all should.
    """
    source = f"--{flag} {vars(config)[flag]}"
    ids = dataset.split(vars(config)[flag])
    found = dataset.with_truth(ids, kinds=kinds)
    if len(found) == len(ids):
        return found
    if not dataset.may_lack_truth:
        raise ValueError(missing_truth(dataset, ids, found, kinds, stage=stage, source=source))
    words = "%s: %d of %d images of %s have ground truth (%s), the others are left out"
    logger.info(words, stage, len(found), len(ids), source, " and ".join(kinds))
    return found


def missing_truth(
    dataset: Dataset,
    ids: Sequence[str],
    found: Sequence[str],
    kinds: Sequence[str],
    *,
    stage: str,
    source: str,
    wanted: str = "reads that of all",
) -> str:
    """Return in one line how many of the images are not among those found, and why the first."""
    known = set(found)
    first = next(image_id for image_id in ids if image_id not in known)
    return (
        f"{source}: {len(ids) - len(found)} of {len(ids)} images have no ground truth, and "
        f"{stage} {wanted}: {_reason(dataset, first, kinds)}"
    )


def _reason(dataset: Dataset, image_id: str, kinds: Sequence[str]) -> str:
    """Return where the ground truth of an image was searched."""
    readers = {"semantic": dataset.semantic_label, "instance": dataset.instance_label}
    try:
        for kind in kinds:
            readers[kind](image_id)
    except FileNotFoundError as error:
        return str(error)
    return f"{image_id} has none"


def cam_folder(config: Config, dataset: Dataset, ids: Sequence[str] = ()) -> CamFolder:
    """Return the folder of --cam_out_dir, to read CAMs from; it must have those of these images."""
    for image_id in ids:
        find_cams(config.cam_out_dir, image_id)
    return CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))


def label_rows(dataset: Dataset, ids: Sequence[str]) -> np.ndarray:
    """Return the image-level labels, float32 (N, C) of 0 and 1, read by the first rank only."""
    return ranks.on_first(lambda: dataset.image_labels(ids))


def image_labels(dataset: Dataset, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Return for each image the classes in its image-level label: `keys`, int64 (K,)."""
    labels = label_rows(dataset, ids)
    return {i: np.flatnonzero(row) for i, row in zip(ids, labels, strict=True)}
