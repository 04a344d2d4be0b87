"""Which programs' forms the files of --cam_out_dir have, said once, before the first stage."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Need, cam_folder
from misc.running.provenance import FOLDER_RECORD
from misc.running.workers import map_images
from misc.settings.config import Config


def log_forms(config: Config, dataset: Dataset, needs: Sequence[Need]) -> None:
    """Log how many of the CAM files that the needs name are read as what.

    Classes that are not in an image's label are warned of: a file's keys may count from 1.
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
    said = "; ".join(f"{count} as {form}" for form, count in forms.most_common())
    logger.info("--cam_out_dir %s: %d files are read: %s", folder.path, len(there), said)
    _warn_of_other_classes(dataset, keys)


def _warn_of_other_classes(dataset: Dataset, keys: dict[str, np.ndarray]) -> None:
    labelled = dataset.with_labels(list(keys))
    labels = dataset.image_labels(labelled)
    odd = [
        (image_id, np.flatnonzero(row))
        for image_id, row in zip(labelled, labels, strict=True)
        if not set(keys[image_id]) <= set(np.flatnonzero(row))
    ]
    if odd:
        image_id, classes = odd[0]
        logger.warning(
            "%d of %d files have classes that are not in the image's label, as %s: classes %s, the "
            "label has %s (from 0). Where they are not predictions, their keys count otherwise",
            len(odd),
            len(labelled),
            image_id,
            keys[image_id].tolist(),
            classes.tolist(),
        )
