"""Class attention maps: their sum over scales, and their normalisation (METHOD section 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F


@dataclass(frozen=True, kw_only=True)
class CAMs:
    """The class attention maps of one image, each class divided by its own maximum.

    Attributes:
        keys: int64 (K,), the 0-based classes of the image.
        cam: float32 (K, h, w) in [0, 1], on the stride-4 grid.
        high_res: float32 (K, H, W) in [0, 1], on the image's pixels.
    """

    keys: np.ndarray
    cam: np.ndarray
    high_res: np.ndarray


def combine_scales(
    maps: Sequence[torch.Tensor], size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum the maps of several scales to `cam` and `high_res` (METHOD section 2).

    Args:
        maps: for each scale the raw maps of the image's K classes, (K, ⌈sH/16⌉, ⌈sW/16⌉).
        size: the image's (H, W).

    Returns:
        cam (K, h, w) and high_res (K, H, W), each class divided by its own maximum + 1e-5.
    """
    return strided_cam(maps, size), high_res_cam(maps, size)


def strided_cam(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Compute `cam`: the sum on the stride-4 grid, (K, h, w)."""
    height, width = ((side - 1) // 4 + 1 for side in size)
    return _normalized(_sum_resized(maps, (height, width)))


def high_res_cam(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Compute `high_res`: the sum at 16·⌈H/16⌉ × 16·⌈W/16⌉, cropped to (K, H, W)."""
    height, width = (-(-side // 16) * 16 for side in size)
    return _normalized(_sum_resized(maps, (height, width))[:, : size[0], : size[1]])


def _sum_resized(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    resized = [
        F.interpolate(x[None], size, mode="bilinear", align_corners=False)[0]
        for x in maps
        if x.shape[0] > 0
    ]
    if not resized:
        return torch.zeros(0, *size)
    return torch.stack(resized).sum(dim=0)


def _normalized(x: torch.Tensor) -> torch.Tensor:
    if x.shape[0] == 0:
        return x
    return x / (x.amax(dim=(1, 2), keepdim=True) + 1e-5)
