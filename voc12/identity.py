"""The identity of a data set, independent of its path: its name, ids and file sizes."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from voc12.splits import EXPECTED_COUNTS, read_list

COUNTED = {"JPEGImages": ".jpg", "Annotations": ".xml"}
OWN_LISTS = ("train", "val")


def identify(
    root: str | os.PathLike[str],
    ids: Sequence[str] | None = None,
    *,
    name: str = "voc12",
    made_from: str = "",
) -> str:
    """Return a data set's name, number of images, and a digest that copying does not change.

    The digest covers each image's id, its index in the list, and the sizes of its file and
    annotation; of generated data what they were made from, in place of the sizes. By default the
    images are those of the lists train and val, or all where there are none.
    """
    root = Path(root)
    ids = _own_ids(root) if ids is None else ids
    digest = hashlib.sha256("\n".join(ids).encode())
    if made_from:
        digest.update(made_from.encode())
    else:
        for folder, ending in COUNTED.items():
            sizes = _sizes(root / folder, ending, frozenset(ids))
            digest.update("\n".join(str(sizes.get(i)) for i in ids).encode())
    return f"{name}, {len(ids)} images, digest {digest.hexdigest()[:16]}"


def is_published_split(
    root: str | os.PathLike[str], split: str, counts: Mapping[str, int] = EXPECTED_COUNTS
) -> bool:
    """Return whether a split is VOC 2012's own, so that its published figures apply."""
    path = Path(root, "ImageSets", "Segmentation", f"{split}.txt")
    if split not in counts or not path.is_file():
        return False
    return len(read_list(path)) == counts[split]


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
