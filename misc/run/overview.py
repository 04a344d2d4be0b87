"""What a dry run shows of the images: examples as they are understood, sizes, formats."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from misc.files.dataset import KINDS, Dataset
from misc.files.images import image_size
from misc.run.log import logger, table
from misc.run.understood import HEADS, spread

ROWS = 10


def tell_overview(dataset: Dataset, ids: Sequence[str]) -> None:
    """Log some images with their size, classes and ground truth, and the sizes and formats of all.

    What cannot be read is left to the stages, which say so.
    """
    ids = dataset.with_labels(ids)
    try:
        heads = spread(ids, HEADS)
        sizes = sorted((image_size(dataset.image_path(i)) for i in heads), key=np.prod)
        rows = [_row(dataset, image_id) for image_id in spread(ids, ROWS)]
    except (ValueError, OSError) as error:
        logger.debug("no overview: %s", error)
        return
    if not rows:
        return
    endings = Counter(dataset.image_path(i).suffix.lower() for i in ids).most_common()
    formats = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in endings)
    low, middle, high = (f"{w}x{h}" for h, w in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    logger.info("%s: %s; %s to %s pixels, median %s", dataset.name, formats, low, high, middle)
    head = ("image", "id", "pixels", "classes", "ground truth")
    logger.info("examples, as they are understood:\n%s", table([head, *rows]))


def _row(dataset: Dataset, image_id: str) -> tuple[str, ...]:
    height, width = image_size(dataset.image_path(image_id))
    (shown,) = dataset.image_labels([image_id])
    classes = ", ".join(dataset.class_names[number] for number in np.flatnonzero(shown).tolist())
    truth = ", ".join(kind for kind in KINDS if dataset.has_truth(image_id, kinds=(kind,)))
    return dataset.file_name(image_id), image_id, f"{width}x{height}", classes or "none", truth
