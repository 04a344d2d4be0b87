"""Instances in the text format of Cityscapes' evaluation server."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import write_bytes
from misc.files.images import encode_png
from misc.files.instance_files import load_instances
from misc.files.labels import LEAST_SCORE, instance_path

MASKS, RESULTS = "masks", "results"
PACKED = (f"{RESULTS}/{{}}.txt", f"{RESULTS}/{MASKS}/{{}}_*.png")  # see misc.files.outputs


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
        the path of the list.
    """
    lines = []
    # Fragments are left out, as in COCO annotations.
    kept = np.flatnonzero(found["score"] >= LEAST_SCORE)
    for number, i in enumerate(kept):
        name = f"{MASKS}/{image_id}_{number}.png"
        write_bytes(folder / name, encode_png(found["mask"][i].astype(np.uint8) * 255))
        lines.append(f"{name} {label_ids[found['class'][i]]} {found['score'][i]:.9g}\n")
    path = folder / f"{image_id}.txt"
    write_bytes(path, "".join(lines).encode())
    return path


def pack(folder: Path, ids: Sequence[str], label_ids: np.ndarray) -> Path:
    """Write the detections in a folder to its `results`, to be zipped for the server."""
    for image_id in ids:
        found = load_instances(instance_path(folder, image_id))
        export_image(folder / RESULTS, image_id, found, label_ids)
    return folder / RESULTS
