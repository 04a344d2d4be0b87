"""The identity of a data set, independent of its path: its name, ids and file sizes."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from voc12.splits import DEMO_MARKER, EXPECTED_COUNTS, is_demo, read_list

COUNTED = {"JPEGImages": ".jpg", "Annotations": ".xml"}
OWN_LISTS = ("train", "val")


def identify(root: str | os.PathLike[str], ids: Sequence[str] | None = None) -> str:
    """Return a data set's name, number of images, and a digest that copying does not change.

    The digest covers each image's id, its index in the list, and the sizes of its file and
    annotation; for the demo data their arguments in place of the sizes. No file is read.

    Args:
        root: the devkit folder, VOC2012.
        ids: the images; by default those of the lists train and val, or all where there are none,
            so that images added for a custom list change nothing.
    """
    root = Path(root)
    name = "demo" if is_demo(root) else "voc12"
    ids = _own_ids(root) if ids is None else ids
    digest = hashlib.sha256("\n".join(ids).encode())
    if name == "demo":
        digest.update((root / DEMO_MARKER).read_bytes())
    else:
        for folder, ending in COUNTED.items():
            sizes = _sizes(root / folder, ending, frozenset(ids))
            digest.update("\n".join(str(sizes.get(i)) for i in ids).encode())
    return f"{name}, {len(ids)} images, digest {digest.hexdigest()[:16]}"


def is_published_split(root: str | os.PathLike[str], split: str) -> bool:
    """Return whether a split is VOC 2012's own, so that its published figures apply."""
    path = Path(root, "ImageSets", "Segmentation", f"{split}.txt")
    if split not in EXPECTED_COUNTS or is_demo(Path(root)) or not path.is_file():
        return False
    return len(read_list(path)) == EXPECTED_COUNTS[split]


def _own_ids(root: Path) -> list[str]:
    paths = [root / "ImageSets" / "Segmentation" / f"{name}.txt" for name in OWN_LISTS]
    ids = [image_id for path in paths if path.is_file() for image_id in read_list(path)]
    if ids:
        return list(dict.fromkeys(ids))
    return sorted(name.removesuffix(".jpg") for name in os.listdir(root / "JPEGImages"))


def _sizes(folder: Path, ending: str, ids: frozenset[str]) -> dict[str, int]:
    # One listing, and no error for a missing file: its reader reports it.
    with os.scandir(folder) as entries:
        return {
            image_id: entry.stat().st_size
            for entry in entries
            if (image_id := entry.name.removesuffix(ending)) in ids
        }
