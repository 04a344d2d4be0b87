"""Size limits of files: checked before memory is allocated for their content."""

import math
import os
import zipfile
from collections.abc import Iterable
from typing import IO

# The pixels of an image, as PIL's own limit: beyond it a file is probably a decompression bomb.
LARGEST_IMAGE = 89_478_485
# The numbers in one array: four classes of the largest image.
LARGEST_ARRAY = 4 * LARGEST_IMAGE
# Largest compression ratio of an archive, beyond a megabyte; masks compress well.
LARGEST_RATIO = 1100
LARGEST_ARCHIVE = 2 << 30


def check_archive(
    file: str | os.PathLike[str] | IO[bytes],
    size: int,
    *,
    ratio: float,
    largest: float | None = None,
) -> None:
    """Check the sizes that a zip archive of `size` bytes declares; zipfile reads no more than them.

    Args:
        file: the archive.
        size: its own size, bytes.
        ratio: largest compression ratio, beyond a megabyte.
        largest: largest unpacked size, bytes; 2 GiB by default.

    Raises:
        ValueError: it would unpack to more.
    """
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(largest or LARGEST_ARCHIVE, ratio * size + 1_000_000):
        raise ValueError(f"{size} bytes would unpack to {unpacked}")


def check_shape(shape: Iterable[int], largest: int = LARGEST_ARRAY) -> None:
    """Check the shape of an array before it is allocated; ValueError where it is too large."""
    sides = [int(side) for side in shape]
    if any(side < 0 for side in sides) or math.prod(sides) > largest:
        raise ValueError(f"an array of the shape {tuple(sides)} is too large")
