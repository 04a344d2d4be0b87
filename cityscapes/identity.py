"""The identity of the data, independent of their path: ids and file sizes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cityscapes import layout


def identify(root: Path, ids: Sequence[str] | None = None, *, num_classes: int) -> str:
    """Return the data set's name, classes, number of images, and a digest of ids and file sizes.

    Args:
        root: the folder with leftImg8bit and gtFine.
        ids: the images; by default those of train and val.
        num_classes: 8 or 19, which shapes whatever is made of the images.
    """
    ids = list(layout.own_ids(root) if ids is None else ids)
    digest = hashlib.sha256("\n".join(ids).encode())
    for path_of in (layout.image_path, _labels):
        sizes = [str(_size(path_of(root, image_id))) for image_id in ids]
        digest.update("\n".join(sizes).encode())
    return (
        f"cityscapes of {num_classes} classes, {len(ids)} images, digest {digest.hexdigest()[:16]}"
    )


def _labels(root: Path, image_id: str) -> Path:
    return layout.truth_path(root, "semantic", image_id)


def _size(path: Path) -> int | None:
    # No error for a missing file: its reader reports it.
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
