"""Labels refined by a dense CRF, unsure pixels, scores by displacement: off by default.

Not in the paper; docs/LABELS.md says what each gives.
"""

from collections.abc import Sequence

import numpy as np

from misc.crf import crf_inference_labels
from misc.imutils import IGNORE


def refine_winners(
    image: np.ndarray | None, maps: Sequence[np.ndarray], *, backend: str | None
) -> list[np.ndarray]:
    """Move the borders of an image's score maps to its edges.

    The numbers are the labels of one dense CRF, that of relation labels (METHOD section 3): two
    instances of a class are two labels. Numbers that no map has take no part.

    Args:
        image: uint8 RGB (H, W, 3); None without a CRF, which alone looks at it.
        maps: int32 (H, W) each, 0 the background, i + 1 the score map i: see `argmax.winners`.
        backend: the implementation of the CRF; None returns the maps as they are.

    Returns:
        maps of the same numbers, int32 (H, W), in the order of `maps`.

    Raises:
        ValueError: there is a CRF and no image.
    """
    if backend is None:
        return list(maps)
    if image is None:
        raise ValueError("a dense CRF looks at the image: found None")
    present = np.unique(np.concatenate([np.zeros(1, np.int32), *(np.unique(m) for m in maps)]))
    if len(present) == 1:
        return list(maps)
    labels = [np.searchsorted(present, numbers) for numbers in maps]
    refined = crf_inference_labels(image, labels, num_labels=len(present), backend=backend)
    return [present[one] for one in refined]


def with_unsure(possible: np.ndarray, certain: np.ndarray) -> np.ndarray:
    """Return what two labels of an image agree on, and 255 elsewhere, which training ignores.

    Args:
        possible: uint8 (H, W), of a low background score.
        certain: uint8 (H, W), of a high one.
    """
    return np.where(possible == certain, certain, np.uint8(IGNORE))


def gathering(masks: np.ndarray, displacement: np.ndarray | None, *, full: float) -> np.ndarray:
    """Return how far IRNet gathers the pixels of each mask, from 0 to 1.

    In an object the field points to its centre, by two thirds of the radius on average for a
    disc. In background it is about 0, however large the region that the walk fills from a CAM that
    is mistaken.

    Args:
        masks: bool (N, H, W).
        displacement: float32 (2, ⌈H/4⌉, ⌈W/4⌉), in stride-4 pixels.
        full: the mean displacement from which on it is 1, as a share of the radius √(area / π) of
            a disc of the mask's area.

    Returns:
        float32 (N,), 0 for an empty mask.

    Raises:
        ValueError: there is no field.
    """
    if displacement is None:
        raise ValueError("how far masks are gathered is IRNet's displacement field: found None")
    height, width = masks.shape[1:]
    length = np.hypot(*displacement).repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    found = np.zeros(len(masks), np.float32)
    for number, mask in enumerate(masks):
        inside = length[mask]
        if len(inside):
            radius = np.sqrt(len(inside) / np.pi) / 4  # in pixels of the field
            found[number] = min(inside.mean() / (full * radius), 1)
    return found
