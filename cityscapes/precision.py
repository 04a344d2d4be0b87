"""Cityscapes' average precision of instances: overlaps of 0.5 to 0.95, void and groups ignored."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cityscapes.names import INSTANCE_IDS, LARGEST_ID, VOID_IDS

# As the benchmark's own program computes them: 0.6 is 0.6000000000000001 there.
OVERLAPS = np.arange(0.5, 1.0, 0.05)
SMALLEST_TRUTH = 100
RIGHT, WRONG, IGNORED = 1, 0, -1


class ImageMatches(NamedTuple):
    """An image's detections as the measure counts them.

    Attributes:
        ids: int64 (N,), the label id of each detection.
        scores: float64 (N,), its score.
        outcomes: int8 (10, N), at each overlap RIGHT, WRONG or IGNORED.
        instances: int64 (8,), by class the true instances of at least 100 pixels.
    """

    ids: np.ndarray
    scores: np.ndarray
    outcomes: np.ndarray
    instances: np.ndarray


def match_detections(
    numbers: np.ndarray, masks: np.ndarray, ids: np.ndarray, scores: np.ndarray
) -> ImageMatches:
    """Match an image's detections to its truth.

    A true instance of at least 100 pixels is found by the best detection whose IoU exceeds the
    overlap; others that do are wrong. A detection that exceeds it with no region at all is wrong,
    unless more than that share of its pixels is void, of a group or of a small instance.

    Args:
        numbers: integer (H, W), the map of instanceIds: label id · 1000 + n, or the label id.
        masks: bool (N, H, W), the detections; empty ones do not count.
        ids: (N,), their label ids; those of classes without instances do not count.
        scores: (N,), their scores.
    """
    if masks.shape[1:] != numbers.shape:
        raise ValueError(f"masks of shape {masks.shape[1:]}, ground truth of {numbers.shape}")
    areas = np.bincount(numbers.reshape(-1))
    regions = np.flatnonzero(areas)
    counts = [np.bincount(numbers[mask], minlength=len(areas))[regions] for mask in masks]
    common = np.array(counts, np.int64).reshape(len(masks), len(regions))
    kept = np.flatnonzero(common.any(axis=1) & np.isin(ids, INSTANCE_IDS))
    common, ids, scores = common[kept], ids[kept].astype(np.int64), scores[kept].astype(np.float64)
    pixels = common.sum(axis=1)

    owners = np.where(regions > LARGEST_ID, regions // 1000, regions)
    size, is_group = areas[regions], regions <= LARGEST_ID
    is_small = size < SMALLEST_TRUTH
    counted = np.isin(owners, INSTANCE_IDS) & ~is_group & ~is_small
    of_class = common * (owners == ids[:, None])
    # A group that is small counts twice, as in the benchmark's own program.
    ignored = common @ np.isin(regions, VOID_IDS) + of_class @ (is_group + is_small.astype(int))

    iou = of_class / (size + pixels[:, None] - of_class)
    # True regions do not overlap, so that a detection exceeds 0.5 with one of them at most.
    best, best_iou = iou.argmax(axis=1), iou.max(axis=1, initial=0)
    outcomes = np.full((len(OVERLAPS), len(ids)), WRONG, np.int8)
    for outcome, overlap in zip(outcomes, OVERLAPS, strict=True):
        hit = best_iou > overlap
        outcome[~hit & (ignored / pixels > overlap)] = IGNORED
        outcome[hit & ~counted[best]] = IGNORED
        found = np.flatnonzero(hit & counted[best])
        falling = found[np.argsort(-scores[found], kind="stable")]
        outcome[falling[np.unique(best[falling], return_index=True)[1]]] = RIGHT
    instances = np.array([np.count_nonzero(owners[counted] == i) for i in INSTANCE_IDS])
    return ImageMatches(ids=ids, scores=scores, outcomes=outcomes, instances=instances)


def average_precision(images: Sequence[ImageMatches]) -> np.ndarray:
    """Compute the average precision of each class at each overlap.

    Returns:
        float64 (10, 8), NaN for a class without an instance of at least 100 pixels.
    """
    result = np.full((len(OVERLAPS), len(INSTANCE_IDS)), np.nan)
    if not images:
        return result
    ids = np.concatenate([image.ids for image in images])
    scores = np.concatenate([image.scores for image in images])
    outcomes = np.concatenate([image.outcomes for image in images], axis=1)
    totals = np.sum([image.instances for image in images], axis=0)
    for column in np.flatnonzero(totals):
        mine = ids == INSTANCE_IDS[column]
        for row, outcome in enumerate(outcomes):
            kept = mine & (outcome != IGNORED)
            result[row, column] = _area(scores[kept], outcome[kept], total=totals[column])
    return result


def _area(scores: np.ndarray, right: np.ndarray, *, total: int) -> float:
    """Integrate precision over recall as the benchmark does: each point has half of both steps."""
    if not len(scores):
        return 0.0
    rising = np.argsort(scores, kind="stable")
    first = np.unique(scores[rising], return_index=True)[1]
    below = np.concatenate([[0], np.cumsum(right[rising])])[first]
    found = np.count_nonzero(right) - below
    precision = np.concatenate([found / (len(scores) - first), [1.0]])
    recall = np.concatenate([found / total, [0.0]])
    padded = np.concatenate([recall[:1], recall, [0.0]])
    return float(precision @ ((padded[:-2] - padded[2:]) / 2))
