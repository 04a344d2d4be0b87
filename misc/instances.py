"""Instances and their scores from propagated score maps (paper, section 5.2)."""

import math
from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch.nn import functional

from misc.argmax import winners, winners_of_each

Maps = TypeVar("Maps", np.ndarray, torch.Tensor)
# Pixels of score maps enlarged at a time: 128 MB, more than an image of VOC has.
_PART = 2**25
# Pixels of an image's masks: 256 of 2048 × 1024, or 2,800 of an image of VOC, which has fewer.
_MASKS = 2**29
# So many can have the area of which a component's score is not 0.
_FEWEST_KEPT = 100


def separate_scores(cam: Maps, instance_map: np.ndarray) -> Maps:
    """Split each class's attention map into one map per instance.

    Args:
        cam: float32 (K, h, w), one map per class; an array, or a tensor on any device.
        instance_map: integer (h, w), instance ids 0..n-1, all of them in use.

    Returns:
        float32 (K, n, h, w), each map times each instance's mask, of the kind of `cam`.
    """
    ids = np.asarray(instance_map)
    inside = ids == np.arange(ids.max() + 1)[:, None, None]
    if isinstance(cam, torch.Tensor):
        return cam[:, None] * torch.from_numpy(inside).to(cam.device)
    return cam[:, None] * inside


def upsample_scores(propagated: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Upsample propagated scores to the image's size and divide them by the largest.

    Args:
        propagated: float32 (N, 1, h, w) at stride 4, on any device; N may be 0.
        size: the image's (H, W), at most 4·h and 4·w.

    Returns:
        float32 (N, H, W) on the same device; all zero where `propagated` is.
    """
    if not len(propagated):
        return propagated.new_zeros((0, *size))
    large = _enlarged(propagated, size)
    return _divided(large, large.amax())


def upsampled_winners(
    propagated: torch.Tensor, size: tuple[int, int], background: torch.Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the winners of `upsample_scores` and a background, holding few of its maps at once.

    Args:
        propagated: float32 (N, 1, h, w) at stride 4, on the CPU.
        size: the image's (H, W).
        background: its score, float32 (h, w), on the scale of `propagated`; by default 0.

    Returns:
        index: int32 (H, W), 0 for the background, i + 1 for map i.
        best: float32 (H, W), the winning score.
    """
    parts = _parts(propagated, size)
    floor: float | np.ndarray = 0.0
    if background is not None and len(propagated):
        peak = _largest_score(propagated, size)
        floor = _divided(_enlarged(background[None, None], size), peak)[0].numpy()
    if len(parts) == 1:
        return winners(upsample_scores(propagated, size), floor)
    # Enlarged twice, as all are divided by the largest before they are compared.
    peak = _largest_score(propagated, size)
    large = (one for part in parts for one in _divided(_enlarged(part, size), peak).numpy())
    return winners_of_each(large, size, floor)


def scores_of_maps(
    propagated: torch.Tensor, size: tuple[int, int], index: np.ndarray
) -> np.ndarray:
    """Look up each pixel's value in that map of `upsample_scores` which the pixel is assigned to.

    Args:
        propagated: float32 (N, 1, h, w) at stride 4, on the CPU.
        size: the image's (H, W).
        index: integer (H, W), 0 for the background, i + 1 for map i.

    Returns:
        float32 (H, W), 0 for the background.
    """
    found = np.zeros(size, np.float32)
    numbers = np.flatnonzero(np.bincount(index.reshape(-1))[1:]) + 1
    peak = _largest_score(propagated, size) if len(numbers) else torch.zeros(())
    for number in numbers:
        (large,) = _divided(_enlarged(propagated[number - 1 : number], size), peak).numpy()
        np.copyto(found, large, where=index == number)
    return found


def _parts(propagated: torch.Tensor, size: tuple[int, int]) -> tuple[torch.Tensor, ...]:
    return propagated.split(max(1, _PART // math.prod(size)))


def _largest_score(propagated: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return torch.stack([_enlarged(part, size).amax() for part in _parts(propagated, size)]).amax()


def _enlarged(propagated: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    large = functional.interpolate(propagated, scale_factor=4, mode="bilinear", align_corners=False)
    return large[:, 0, : size[0], : size[1]]


def _divided(scores: torch.Tensor, peak: torch.Tensor) -> torch.Tensor:
    # Dividing by a peak of 0 would give NaN.
    return scores.div_(torch.where(peak > 0, peak, torch.ones_like(peak)))


def detect(
    scores: np.ndarray | torch.Tensor,
    keys: np.ndarray | Sequence[int],
    n_instances: int,
    *,
    bg_threshold: float | np.ndarray = 0.25,
    min_area: float = 0.01,
) -> dict[str, np.ndarray]:
    """Detect the instances in an image's score maps.

    Each pixel goes to the argmax of the maps and a constant background. A map's pixels are split
    into 4-connected components, each a detection; its score is the largest value inside.

    Args:
        scores: float32 (K·n, H, W), divided by the image's largest, class by class.
        keys: (K,), the classes, 0-based.
        n_instances: n, the number of maps per class.
        bg_threshold: the background's score, or a map of it (H, W).
        min_area: fraction of the image's pixels below which a component's score is 0.

    Returns:
        `score` float32 (N,), `mask` bool (N, H, W) and `class` int64 (N,), by map, then by
        component; N is 0 where nothing beats the background.

    Raises:
        ValueError: the number of maps is not K·n.
    """
    if len(scores) != len(keys) * n_instances:
        raise ValueError(
            f"{len(scores)} score maps for {len(keys)} classes of {n_instances} instances"
        )
    index, best = winners(scores, bg_threshold)
    owners = np.repeat(np.asarray(keys, dtype=np.int64), n_instances)
    return split_winners(index, best, owners, min_area=min_area)


def split_winners(
    index: np.ndarray,
    best: np.ndarray,
    classes: np.ndarray,
    *,
    min_area: float = 0.01,
    score: str = "peak",
) -> dict[str, np.ndarray]:
    """Split each map's pixels into 4-connected components, each of them a detection.

    Args:
        index: integer (H, W), the number of the winning map from 1 on, 0 for the background.
        best: float32 (H, W), of which a component's score is the largest or mean value inside.
        classes: int64 (M,), the class of each map.
        min_area: fraction of the image's pixels below which a component's score is 0.
        score: `peak` or `mean`.

    Returns:
        as `detect` does; of large images with very many components the largest alone, so that
        the masks take half a gigabyte at most.
    """
    component, owners = _largest(*_components(index))
    # From here on only the foreground pixels, each with the number of its component.
    pixels = np.flatnonzero(component)
    numbers = component.reshape(-1)[pixels] - 1
    masks = np.zeros((len(owners), *index.shape), dtype=bool)
    masks.reshape(len(owners), index.size)[numbers, pixels] = True
    areas, values = np.bincount(numbers, minlength=len(owners)), best.reshape(-1)[pixels]
    scores = np.zeros(len(owners), dtype=np.float32)
    if score == "mean":
        scores[:] = np.bincount(numbers, weights=values, minlength=len(owners)) / areas
    else:
        np.maximum.at(scores, numbers, values)
    scores[areas < min_area * index.size] = 0
    return {"score": scores, "mask": masks, "class": classes[owners]}


def component_detections(
    high_res: np.ndarray | torch.Tensor,
    keys: np.ndarray | Sequence[int],
    threshold: float | np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the connected components of the thresholded attention maps: the baseline.

    Args:
        high_res: float32 (K, H, W), class attention maps in [0, 1].
        keys: (K,), the classes, 0-based.
        threshold: the background's score, or a map of it (H, W).

    Returns:
        as `detect` does.
    """
    return detect(high_res, keys, 1, bg_threshold=threshold)


def _largest(component: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the smallest components where there are more than masks can be held for."""
    most = max(_MASKS // component.size, _FEWEST_KEPT)
    if len(owners) <= most:
        return component, owners
    areas = np.bincount(component.reshape(-1), minlength=len(owners) + 1)[1:]
    kept = np.sort(np.argsort(-areas, kind="stable")[:most])
    numbers = np.zeros(len(owners) + 1, np.int32)
    numbers[kept + 1] = np.arange(1, most + 1)
    return numbers[component], owners[kept]


def _components(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the 4-connected components of equal positive values, value by value.

    Returns:
        component: int32 (H, W), 0 where `index` is, else the component's number from 1 on.
        owners: int64 (N,), the value of each component, minus 1.
    """
    component = np.zeros(index.shape, dtype=np.int32)
    owners: list[int] = []
    for value in np.flatnonzero(np.bincount(index.reshape(-1))[1:]) + 1:
        won = (index == value).view(np.uint8)
        left, top, width, height = cv2.boundingRect(won)
        box = slice(top, top + height), slice(left, left + width)
        count, labels = cv2.connectedComponents(won[box], connectivity=4)
        np.add(labels, len(owners), out=component[box], where=labels > 0)
        owners += [int(value) - 1] * (count - 1)
    return component, np.array(owners, dtype=np.int64)
