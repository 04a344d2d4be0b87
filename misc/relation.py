"""Labels for learning inter-pixel relations (paper, section 4.2)."""

import numpy as np

from misc.argmax import winners
from misc.crf import crf_inference_labels
from misc.imutils import IGNORE


def relation_label(
    image: np.ndarray,
    high_res: np.ndarray,
    keys: np.ndarray,
    *,
    fg_threshold: float | np.ndarray = 0.30,
    bg_threshold: float | np.ndarray = 0.05,
    crf: str = "torch",
) -> np.ndarray:
    """Compute an image's confident foreground and background; the rest is ignored.

    The attention maps are thresholded at both values and both results refined by a dense CRF. A
    pixel is of a class where the higher threshold says so, background where both say so.

    Args:
        image: uint8 RGB (H, W, 3).
        high_res: float32 (K, H, W), class attention maps in [0, 1].
        keys: (K,), the class of each map, 0-based; K may be 0.
        fg_threshold: score that a map must exceed to be confident foreground; or a map (H, W).
        bg_threshold: score that no map may exceed to be confident background; or a map (H, W).
        crf: the CRF implementation, torch or pydensecrf.

    Returns:
        uint8 (H, W): 0 background, class + 1 foreground, 255 neither.

    Raises:
        ValueError: the maps do not fit the image or the keys.
        ModuleNotFoundError: pydensecrf is chosen and not installed.
    """
    if high_res.shape != (len(keys), *image.shape[:2]):
        raise ValueError(
            f"attention maps of shape {high_res.shape} for {len(keys)} classes "
            f"and an image of {image.shape[:2]}"
        )
    cuts = [winners(high_res, threshold)[0] for threshold in (fg_threshold, bg_threshold)]
    foreground, background = crf_inference_labels(
        image, cuts, num_labels=len(keys) + 1, backend=crf
    )
    labels = np.concatenate([[IGNORE], np.asarray(keys) + 1]).astype(np.uint8)
    combined = labels[foreground]
    combined[(foreground == 0) & (background == 0)] = 0
    return combined
