"""Which score map wins each pixel, the background being a constant."""

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
    best = np.full(maps.shape[1:], background, dtype=np.float32)
    index = np.zeros(maps.shape[1:], dtype=np.int32)
    for number, candidate in enumerate(maps, start=1):
        np.copyto(index, number, where=candidate > best)
        np.fmax(best, candidate, out=best)
    return index, best


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
    labels = np.concatenate([[0], np.asarray(keys) + 1]).astype(np.uint8)
    return labels[winners(scores, background)[0]]


def _device_winners(
    scores: torch.Tensor, background: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare on the scores' own device: two maps are moved from it instead of all."""
    scores = scores.masked_fill(scores.isnan(), -torch.inf)  # max would let them win
    floor = torch.as_tensor(background, dtype=scores.dtype, device=scores.device)
    channels = torch.cat([floor.expand(1, *scores.shape[1:]), scores])
    best, index = channels.max(dim=0)  # of equal values the first
    return index.int().cpu().numpy(), best.cpu().numpy()
