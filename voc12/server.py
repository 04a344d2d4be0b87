"""The archive that VOC's evaluation server takes."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

from misc.files.atomic import atomic_path
from misc.files.dataset import ARCHIVE
from misc.files.labels import semantic_paths

INSIDE = Path("results", "VOC2012", "Segmentation", "comp6_test_cls")


def pack(folder: Path, ids: Sequence[str]) -> Path:
    """Pack the palette PNGs of these images' labels, of 0..C; those of other lists stay out."""
    archive = folder / ARCHIVE
    with atomic_path(archive) as temporary, tarfile.open(temporary, "w:gz") as packed:
        for image_id in sorted(ids):
            _, coloured = semantic_paths(folder, image_id)
            packed.add(coloured, INSIDE / coloured.name)
    return archive
