"""Which images a network was trained on, for its evaluation."""

import os
from collections.abc import Sequence

from misc.files.dataset import Dataset
from misc.run.log import logger
from misc.run.records import read_note

FIELD = "images"  # of the record beside the weights


def training_images(dataset: Dataset, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what the record of a network says of its training images: the bytes of their files.

    Another folder may have the same names.
    """
    return {FIELD: {image_id: _size(dataset, image_id) for image_id in ids}}


def warn_of_seen(
    weights: str | os.PathLike[str], dataset: Dataset, ids: Sequence[str], *, source: str
) -> None:
    """Warn in one line of a list's images that the network was trained on, where it is known."""
    known = read_note(weights, FIELD) or {}
    seen = [i for i in ids if i in known and known[i] == _size(dataset, i)]
    if seen:
        logger.warning(
            "%d of %d images of %s were trained on (%s): the measures are not of unseen images",
            *(len(seen), len(ids), source, weights),
        )


def _size(dataset: Dataset, image_id: str) -> str:
    path = dataset.image_path(image_id)
    return f"{path.stat().st_size} bytes" if path.is_file() else ""
