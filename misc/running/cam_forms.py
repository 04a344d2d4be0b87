"""Which programs' forms the files of --cam_out_dir have, said once, before the first stage."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Need, cam_folder
from misc.running.records import FOLDER_RECORD
from misc.running.workers import map_images
from misc.settings.config import Config

# By image, the keys of its file.
Keys = Mapping[str, np.ndarray]
# The part of files whose keys are the image's classes plus 1 that is no chance any more.
NEARLY_ALL = 0.9


def log_forms(config: Config, dataset: Dataset, needs: Sequence[Need]) -> None:
    """Log the forms of the CAM files that the needs name, and how many files have each.

    Classes that are not in an image's label are warned of.
    Nothing is said of a folder that make_cam has made or will make.

    Raises:
        ValueError: a file has no known form, or two images have the same file.
    """
    folder = cam_folder(config, dataset)
    if (Path(folder.path) / FOLDER_RECORD).is_file():
        return
    there: dict[str, None] = {}
    for need in needs:
        listed = names_in(need.files.folder)
        named = zip(need.ids, need.files.names, strict=False)
        there |= {image_id: None for image_id, name in named if name in listed}
    if not there:
        return
    forms: Counter[str] = Counter()
    keys: dict[str, np.ndarray] = {}
    images: dict[Path, str] = {}
    for image_id, (form, path, found) in map_images(
        list(there), folder.form, num_workers=config.num_workers, description="forms of CAMs"
    ):
        if (other := images.setdefault(path, image_id)) != image_id:
            raise ValueError(f"{path}: is the only file for both {other!r} and {image_id!r}")
        forms[form] += 1
        keys[image_id] = found
    counts = "; ".join(f"{count} of the form '{form}'" for form, count in forms.most_common())
    logger.info("--cam_out_dir %s: %d files: %s", folder.path, len(there), counts)
    _warn_of_classes(dataset, folder.path, keys)


def _warn_of_classes(dataset: Dataset, path: str | os.PathLike[str], keys: Keys) -> None:
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
