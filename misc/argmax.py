"""Which score map wins each pixel, the background being a constant."""

from collections.abc import Iterable

import numpy as np
import torch


def winners(
    scores: np.ndarray | torch.Tensor, background: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the largest of the score maps and the background at each pixel.

    Ties go to the background, then to the earlier map: an argmax over the channels
    (background, map 0, map 1, …). NaN scores lose. Everything is compared in float32.

    Args:
        scores: (N, H, W), a NumPy array or a tensor on any device; N may be 0.
        background: the background's score, or a map of it (H, W).

    Returns:
        index: int32 (H, W), 0 for the background, i + 1 for map i.
        best: float32 (H, W), the winning score.
    """
    if isinstance(scores, torch.Tensor) and scores.device.type != "cpu":
        return _device_winners(scores.float(), background)
    maps = np.asarray(scores, dtype=np.float32)
    return winners_of_each(maps, maps.shape[1:], background)


def winners_of_each(
    maps: Iterable[np.ndarray], size: tuple[int, ...], background: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the winners as `winners` does, of maps that come one by one: float32 (H, W) each."""
    best = np.full(size, background, dtype=np.float32)
    index = np.zeros(size, dtype=np.int32)
    for number, candidate in enumerate(maps, start=1):
        np.copyto(index, number, where=candidate > best)
        np.fmax(best, candidate, out=best)
    return index, best


def above(index: np.ndarray, best: np.ndarray, background: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what `winners` finds for a background, from what it found for a lower one."""
    level = np.float32(background)
    return np.where(best > level, index, np.int32(0)), np.maximum(best, level)


def label_map(
    scores: np.ndarray | torch.Tensor,
    keys: np.ndarray | torch.Tensor,
    background: float | np.ndarray,
) -> np.ndarray:
    """Convert the score maps of an image's classes to its label map.

    Args:
        scores: (K, H, W), one map per class.
        keys: (K,), the class of each map, 0-based.
        background: the background's score, or a map of it (H, W).

    Returns:
        uint8 (H, W): 0 is background, class + 1 elsewhere.
    """
    return labels_of(winners(scores, background)[0], np.asarray(keys))


def labels_of(index: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the label, class + 1 or 0, of each winner's number: uint8 (H, W)."""
    return np.concatenate([[0], keys + 1]).astype(np.uint8)[index]


def _device_winners(
    scores: torch.Tensor, background: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare on the scores' own device: two maps are moved from it instead of all."""
    scores = scores.masked_fill(scores.isnan(), -torch.inf)  # max would let them win
    floor = torch.as_tensor(background, dtype=scores.dtype, device=scores.device)
    channels = torch.cat([floor.expand(1, *scores.shape[1:]), scores])
    best, index = channels.max(dim=0)  # of equal values the first
    return index.int().cpu().numpy(), best.cpu().numpy()
