"""Class attention maps: their sum over scales, and their normalisation (METHOD section 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

_ROUNDING = 1e-3  # beyond [0, 1] by less is rounding, or a filter that overshoots


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
    return _normalized(strided_sum(maps, size))


def high_res_cam(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Compute `high_res`: the sum at 16·⌈H/16⌉ × 16·⌈W/16⌉, cropped to (K, H, W)."""
    return _normalized(high_res_sum(maps, size))


def strided_sum(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Sum the maps of several scales on the stride-4 grid of an image of (H, W)."""
    return _sum_resized(maps, _grid(size, 4))


def high_res_sum(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Sum the maps of several scales on the pixels of an image of (H, W)."""
    height, width = (16 * side for side in _grid(size, 16))
    return _sum_resized(maps, (height, width))[:, : size[0], : size[1]]


def strided_of(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize another method's maps (K, ·, ·) to the stride-4 grid; each keeps its maximum."""
    if tuple(maps.shape[1:]) == _grid(size, 4):
        return maps
    return strided_cam([maps], size) * _peaks(maps)


def high_res_of(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize another method's maps (K, ·, ·) to the image's (H, W); each keeps its maximum.

    Maps on the stride-4 or the stride-16 grid are enlarged as in `high_res_cam`; maps of any other
    size are taken to cover the image.
    """
    if tuple(maps.shape[1:]) == size:
        return maps
    if tuple(maps.shape[1:]) in (_grid(size, 4), _grid(size, 16)):
        return high_res_cam([maps], size) * _peaks(maps)
    return _normalized(_sum_resized([maps], size)) * _peaks(maps)


def within_unit(maps: torch.Tensor) -> torch.Tensor:
    """Divide each of the maps (K, ·, ·) by its maximum if any value is outside [0, 1].

    Below 0 is 0, as after the network's ReLU.
    """
    if not maps.numel() or (maps.amin() >= -_ROUNDING and maps.amax() <= 1 + _ROUNDING):
        return maps.clamp(0, 1)
    return _normalized(maps.clamp(min=0))


def _grid(size: tuple[int, int], stride: int) -> tuple[int, int]:
    height, width = size
    return -(-height // stride), -(-width // stride)


def _peaks(maps: torch.Tensor) -> torch.Tensor:
    return maps.amax(dim=(1, 2), keepdim=True) if len(maps) else maps.new_zeros(0, 1, 1)


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
    return x / (_peaks(x) + 1e-5)
