"""The masks of annotations, polygons and run lengths, drawn by pycocotools."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as runs


def draw_masks(
    annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], source: object
) -> np.ndarray:
    """Draw the masks of annotations in an image of (H, W): bool (N, H, W); `source` is their file.

    They are polygons in any number of parts, or run lengths.
    """
    masks = np.zeros((len(annotations), *size), bool)
    for mask, annotation in zip(masks, annotations, strict=True):
        try:
            mask[:] = runs.decode(_run_lengths(annotation["segmentation"], *size))
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise ValueError(
                f"{source}: the annotation {annotation.get('id')} has no mask of an image of "
                f"{size}; a mask is polygons of three points or more, or run lengths that fill "
                "the image"
            ) from error
    return masks


def _run_lengths(shape: Any, height: int, width: int) -> Any:
    if isinstance(shape, list):
        # pycocotools takes what is not of points for other shapes, or drops the last number.
        if any(len(polygon) < 6 or len(polygon) % 2 for polygon in shape):
            raise ValueError("no polygon")
        return runs.merge(runs.frPyObjects(shape, height, width))
    if list(shape["size"]) != [height, width]:
        raise ValueError("another size")
    if isinstance(shape["counts"], str):
        return shape
    # Where runs do not fill the image, pycocotools leaves what was in memory.
    if sum(shape["counts"]) != height * width:
        raise ValueError("runs that do not fill the image")
    return runs.frPyObjects(shape, height, width)
