"""The folder of --cam_out_dir: which programs' forms its files have, and whose classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.files.cam_names import ENDINGS, cam_names
from misc.files.dataset import Dataset
from misc.run.log import logger
from misc.run.open_dataset import cam_folder
from misc.run.records import FOLDER_RECORD
from misc.run.workers import map_images
from misc.settings.config import Config

# The part of files whose keys are the image's classes plus 1 that is no chance any more.
NEARLY_ALL = 0.9


def other_names(folder: Path, names: Sequence[str]) -> str:
    """Name a file of a folder of CAMs that is no image's, as its name may be meant otherwise."""
    others = sorted(names_in(folder) - set(names))
    alike = [name for name in others if Path(name).suffix.lower() in (*ENDINGS, ".png")]
    if not alike or FOLDER_RECORD in others:
        return ""
    return f" ({alike[0]} is there, and of no image by its name; accepted is ID.npz, .npy or .pt)"


def log_forms(config: Config, dataset: Dataset, ids: Sequence[str]) -> None:
    """Log the forms of the images' CAM files, and warn of classes outside the images' labels.

    Nothing is said of files that are missing, and of a folder that make_cam has made.

    Raises:
        ValueError: a file has no known form, or two images have the same file.
    """
    folder = cam_folder(config, dataset)
    listed = names_in(Path(folder.path))
    named = zip(ids, cam_names(folder.path, ids), strict=True)
    there = [image_id for image_id, name in named if name in listed]
    if not there or FOLDER_RECORD in listed:
        return
    forms: Counter[str] = Counter()
    keys: dict[str, np.ndarray] = {}
    images: dict[Path, str] = {}
    for image_id, (form, path, found) in map_images(
        there, folder.form, num_workers=config.num_workers, description="forms of CAMs"
    ):
        if (other := images.setdefault(path, image_id)) != image_id:
            raise ValueError(f"{path}: is the only file for both {other!r} and {image_id!r}")
        forms[form] += 1
        keys[image_id] = found
    counts = "; ".join(f"{count} of the form '{form}'" for form, count in forms.most_common())
    logger.info("--cam_out_dir %s: %d files: %s", folder.path, len(there), counts)
    _warn_of_classes(dataset, config.cam_out_dir, keys)


def _warn_of_classes(dataset: Dataset, path: str, keys: Mapping[str, np.ndarray]) -> None:
    """Warn of classes outside the images' labels, and of keys that seem to count from 1."""
    labelled = dataset.with_labels(list(keys))
    rows = dataset.image_labels(labelled)
    labels = {i: np.flatnonzero(row) for i, row in zip(labelled, rows, strict=True)}
    odd = [i for i, label in labels.items() if not set(keys[i]) <= set(label)]
    if not odd:
        return
    with_class = [i for i, label in labels.items() if len(label)]
    shifted = [i for i in with_class if set(keys[i][keys[i] > 0] - 1) == set(labels[i])]
    reason = "where they are no predictions, the keys count otherwise"
    if len(shifted) >= NEARLY_ALL * max(len(with_class), 1):
        odd = shifted
        reason = (
            "these keys are the image's classes plus 1: if they count from 1, write keys that "
            "count from 0, and leave the background's 0 and its map out (see docs/YOUR_CAMS.md)"
        )
    logger.warning(
        "--cam_out_dir %s: %d of %d files have classes that are not in the image's label, for "
        "example %s: keys %s, label %s (from 0); %s",
        path,
        len(odd),
        len(labelled),
        odd[0],
        keys[odd[0]].tolist(),
        labels[odd[0]].tolist(),
        reason,
    )
