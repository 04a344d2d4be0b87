"""AMN: maps of a network that learns from the relation labels of other maps (METHOD section 2).

Lee, Kim and Shim, "Threshold Matters in WSSS: Manipulating the Activation for the Robust and
Accurate Segmentation Model Against Thresholds", CVPR 2022.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from misc.cams import CAMs, high_res_sum, strided_sum
from misc.imutils import IGNORE, resize

SMOOTHING = 0.4  # eps, the part of a target that is not its label's
LOSS_WEIGHTS = {"background": 0.5, "foreground": 0.5}


def amn_losses(
    logit: torch.Tensor,
    label: torch.Tensor,
    *,
    smoothing: float = SMOOTHING,
    reduce_counts: Callable[[torch.Tensor], torch.Tensor] = lambda counts: counts,
) -> dict[str, torch.Tensor]:
    """Compute the mean cross entropies of background and of foreground pixels.

    A pixel's target is 1 - eps of its label, and eps / C of each other one.

    Args:
        logit: (B, C + 1, h, w), the background first.
        label: uint8 (B, h, w): 0 background, class + 1, 255 ignored.
        smoothing: eps.
        reduce_counts: maps the numbers of pixels, (2,), to those that the sums are divided by.

    Returns:
        scalars `background` and `foreground`.
    """
    labels = logit.shape[1]
    loss = F.cross_entropy(
        logit.float(),
        label.long(),
        ignore_index=IGNORE,
        reduction="none",
        # torch spreads its own share over all labels, with the pixel's.
        label_smoothing=smoothing * labels / (labels - 1),
    )
    # Without a pixel of one of them its loss is 0, where the authors divide 0 by 0.
    counts = reduce_counts(count_pixels(label)).clamp(min=1e-5)
    background, foreground = (loss * _masks(label)).sum(dim=(1, 2, 3)) / counts
    return {"background": background, "foreground": foreground}


def count_pixels(label: torch.Tensor) -> torch.Tensor:
    """Count the background and the foreground pixels of labels (B, h, w): float32 (2,)."""
    return _masks(label).sum(dim=(1, 2, 3)).float()


def _masks(label: torch.Tensor) -> torch.Tensor:
    return torch.stack([label == 0, (label > 0) & (label != IGNORE)])


def amn_cams(logits: Sequence[torch.Tensor], keys: np.ndarray, label: np.ndarray) -> CAMs:
    """Compute an image's CAMs from the logits of several scales.

    Args:
        logits: for each scale float32 (C + 1, ⌈sH/16⌉, ⌈sW/16⌉), the background first.
        keys: int64 (K,), the image's classes, 0-based.
        label: uint8 (H, W), the relation label that the network learnt from.
    """
    size = label.shape[0], label.shape[1]
    cam, high_res = (
        strided_sum(logits, size) / len(logits),
        high_res_sum(logits, size) / len(logits),
    )
    small = resize(label, (cam.shape[1], cam.shape[2]), nearest=True)
    return CAMs(keys=keys, cam=_scores(cam, keys, small), high_res=_scores(high_res, keys, label))


def _scores(logit: torch.Tensor, keys: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Compute float32 (K, H, W) of logits (C + 1, H, W): probabilities, in [0, 1] of each map.

    They are stretched from the map's minimum and maximum but where the label is background.
    """
    found = logit.softmax(dim=0)[keys + 1]
    least = found.amin(dim=(1, 2), keepdim=True)
    span = found.amax(dim=(1, 2), keepdim=True) - least
    stretched = (found - least) / (span + 1e-5)
    return torch.where(torch.from_numpy(label == 0), found, stretched).numpy()
