"""Instances in the text format of Cityscapes' evaluation server."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from misc.files.atomic import write_bytes
from misc.files.images import encode_png

# Fragments, which score 0, are left out, as in COCO annotations.
LEAST_SCORE = 1e-5
MASKS = "masks"


def text_path(folder: Path, image_id: str) -> Path:
    """Return the path of an image's list of detections."""
    return folder / f"{image_id}.txt"


def export_image(
    folder: Path, image_id: str, found: Mapping[str, np.ndarray], label_ids: np.ndarray
) -> Path:
    """Write an image's detections: ID.txt of lines `masks/ID_N.png labelID confidence`.

    Args:
        folder: where to write; the masks, 0 and 255, go to its folder masks.
        image_id: the image.
        found: `score` float32 (N,), `mask` bool (N, H, W), `class` int64 (N,).
        label_ids: (C,), the label id of each class.

    Returns:
        the path of the list, which is written last.
    """
    lines = []
    kept = np.flatnonzero(found["score"] >= LEAST_SCORE)
    for number, i in enumerate(kept):
        name = f"{MASKS}/{image_id}_{number}.png"
        write_bytes(folder / name, encode_png(found["mask"][i].astype(np.uint8) * 255))
        lines.append(f"{name} {label_ids[found['class'][i]]} {found['score'][i]:.9g}\n")
    write_bytes(text_path(folder, image_id), "".join(lines).encode())
    return text_path(folder, image_id)
