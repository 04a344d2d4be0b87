"""Labels refined by a dense CRF: off by default.

Not in the paper; docs/LABELS.md says what it gives.
"""

from collections.abc import Sequence

import numpy as np

from misc.crf import crf_inference_labels


def refine_winners(
    image: np.ndarray, maps: Sequence[np.ndarray], *, backend: str
) -> list[np.ndarray]:
    """Move the borders of an image's score maps to its edges.

    The numbers of a map are the labels of a dense CRF, that of relation labels (METHOD section 3):
    two instances of a class are two labels. A map's result does not depend on the others.

    Args:
        image: uint8 RGB (H, W, 3).
        maps: int32 (H, W) each, 0 the background, i + 1 the score map i: see `argmax.winners`.
        backend: the implementation of the CRF.

    Returns:
        maps of the same numbers, int32 (H, W), in the order of `maps`.
    """
    refined = list(maps)
    present = [np.union1d(0, np.unique(numbers)) for numbers in maps]
    # Maps of as many labels share the CRF's features of the image.
    for count in sorted({len(numbers) for numbers in present} - {1}):
        places = [place for place, numbers in enumerate(present) if len(numbers) == count]
        labels = [np.searchsorted(present[place], maps[place]) for place in places]
        found = crf_inference_labels(image, labels, num_labels=count, backend=backend)
        for place, label in zip(places, found, strict=True):
            refined[place] = present[place][label].astype(np.int32)
    return refined
