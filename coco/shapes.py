"""The shapes of annotations, polygons and run lengths, read through pycocotools."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as runs

FURTHEST = 1e5  # pixels; pycocotools walks along each edge, so that a longer one takes memory


def read_shape(annotation: Mapping[str, Any], size: tuple[int, int], source: object) -> Any:
    """Return an annotation's mask as compressed run lengths, {size, counts}.

    Args:
        annotation: of an instances JSON: polygons in any number of parts, or run lengths.
        size: its image's (H, W).
        source: the file, for errors.

    Raises:
        ValueError: it has no mask, or one that is broken or of another size.
    """
    shape, (height, width) = annotation.get("segmentation"), size
    where = f"{source}: the annotation {annotation.get('id')}"
    if isinstance(shape, list) and shape and all(map(_is_polygon, shape)):
        return runs.merge(runs.frPyObjects(shape, height, width))
    if isinstance(shape, dict) and list(shape.get("size", ())) == [height, width]:
        counts = shape.get("counts")
        if isinstance(counts, list) and _fills(counts, height * width):
            return runs.frPyObjects(shape, height, width)
        if isinstance(counts, str) and _fills(_unpacked(counts), height * width):
            return {"size": [height, width], "counts": counts.encode()}
    raise ValueError(
        f"{where} has no mask of an image of {size}; a mask is polygons of three points or more, "
        "or run lengths that fill the image"
    )


def decode(shapes: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    """Return the masks of run lengths, bool (N, H, W)."""
    if not shapes:
        return np.zeros((0, *size), bool)
    return np.ascontiguousarray(runs.decode(list(shapes)).transpose(2, 0, 1)).astype(bool)


def encode(masks: np.ndarray) -> list[Any]:
    """Return the compressed run lengths of masks, bool (N, H, W)."""
    return [runs.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in masks]


def _is_polygon(points: Any) -> bool:
    if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
        return False
    return all(isinstance(p, (int, float)) and -FURTHEST < p < FURTHEST for p in points)


def _fills(counts: Sequence[Any] | None, pixels: int) -> bool:
    """Return whether runs fill an image: pycocotools would write past its end."""
    if counts is None or not all(isinstance(run, int) and 0 <= run <= pixels for run in counts):
        return False
    return sum(counts) == pixels


def _unpacked(text: str) -> list[int] | None:
    """Return the runs of compressed run lengths, see misc.files.coco.encode_rle; None if broken."""
    found: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 30:
            return None
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= (group & 16) << (shift - 4)
            found.append(value + (found[-2] if len(found) > 2 else 0))
            value = shift = 0
    return None if shift else found
