"""Cityscapes' average precision of instances: overlaps of 0.5 to 0.95, void and groups ignored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cityscapes.names import INSTANCE_IDS, LARGEST_ID, VOID_IDS

# As the benchmark's own program computes them: 0.6 is 0.6000000000000001 there.
OVERLAPS = np.arange(0.5, 1.0, 0.05)
SMALLEST_TRUTH = 100


@dataclass(frozen=True, kw_only=True)
class ImageOverlaps:
    """How one image's detections overlap its truth: all that the measure needs.

    Attributes:
        ids: int64 (N,), the label id of each detection.
        scores: float64 (N,), its score.
        pixels: int64 (N,), its pixels, at least one.
        void: int64 (N,), how many of them are void.
        common: int64 (N, M), its pixels in each true region, of whatever class.
        truth_ids: int64 (M,), the label id of each true region, instance or group.
        truth_pixels: int64 (M,), the region's pixels.
        truth_is_group: bool (M,).
    """

    ids: np.ndarray
    scores: np.ndarray
    pixels: np.ndarray
    void: np.ndarray
    common: np.ndarray
    truth_ids: np.ndarray
    truth_pixels: np.ndarray
    truth_is_group: np.ndarray


def overlaps_of(
    numbers: np.ndarray, masks: np.ndarray, ids: np.ndarray, scores: np.ndarray
) -> ImageOverlaps:
    """Count how an image's detections overlap its truth.

    Args:
        numbers: integer (H, W), the map of instanceIds: label id · 1000 + n, or the label id.
        masks: bool (N, H, W), the detections; empty ones do not count.
        ids: (N,), their label ids; those of classes without instances do not count.
        scores: (N,), their scores.
    """
    if masks.shape[1:] != numbers.shape:
        raise ValueError(f"masks of shape {masks.shape[1:]}, ground truth of {numbers.shape}")
    areas = np.bincount(numbers.reshape(-1))
    values = np.flatnonzero(areas)
    index = (np.cumsum(areas > 0) - 1)[numbers]
    counts = [np.bincount(index[mask], minlength=len(values)) for mask in masks]
    common = np.array(counts, np.int64).reshape(len(masks), len(values))
    pixels = common.sum(axis=1)
    kept = np.flatnonzero((pixels > 0) & np.isin(ids, INSTANCE_IDS))
    owners = np.where(values > LARGEST_ID, values // 1000, values)
    regions = np.flatnonzero(np.isin(owners, INSTANCE_IDS))
    return ImageOverlaps(
        ids=np.asarray(ids, np.int64)[kept],
        scores=np.asarray(scores, np.float64)[kept],
        pixels=pixels[kept],
        void=common[kept][:, np.isin(values, VOID_IDS)].sum(axis=1),
        common=common[np.ix_(kept, regions)],
        truth_ids=owners[regions].astype(np.int64),
        truth_pixels=areas[values[regions]],
        truth_is_group=values[regions] <= LARGEST_ID,
    )


def average_precision(images: Sequence[ImageOverlaps]) -> np.ndarray:
    """Compute the average precision of each class at each overlap.

    A true instance of at least 100 pixels is found by the best detection whose IoU exceeds the
    overlap; others that do are false. A detection that exceeds it with no region at all is false,
    unless more than that share of its pixels is void, of a group or of a small instance.

    Returns:
        float64 (10, 8), NaN for a class without such an instance.
    """
    result = np.full((len(OVERLAPS), len(INSTANCE_IDS)), np.nan)
    for column, label_id in enumerate(INSTANCE_IDS):
        found = _of_class(images, int(label_id))
        for row, overlap in enumerate(OVERLAPS):
            if found.counted.any():
                result[row, column] = found.area(float(overlap))
    return result


@dataclass(frozen=True, kw_only=True)
class _ClassOverlaps:
    """One class's detections (N,), true regions (M,) and overlapping pairs (P,) of all images."""

    scores: np.ndarray
    ignored: np.ndarray  # share of a detection's pixels
    counted: np.ndarray  # whether a true region is an instance of at least 100 pixels
    detection: np.ndarray  # of a pair
    region: np.ndarray  # of a pair
    iou: np.ndarray  # of a pair

    def area(self, overlap: float) -> float:
        """Compute the average precision at an overlap."""
        hit = self.iou > overlap
        free = np.ones(len(self.scores), bool)
        free[self.detection[hit]] = False
        false = self.scores[free & (self.ignored <= overlap)]
        pairs = np.flatnonzero(hit & self.counted[self.region])
        falling = pairs[np.argsort(-self.scores[self.detection[pairs]], kind="stable")]
        best = np.unique(self.region[falling], return_index=True)[1]
        right = np.zeros(len(falling), bool)
        right[best] = True
        scores = np.concatenate([self.scores[self.detection[falling]], false])
        right = np.concatenate([right, np.zeros(len(false), bool)])
        return _area(scores, right, total=int(self.counted.sum()))


def _of_class(images: Sequence[ImageOverlaps], label_id: int) -> _ClassOverlaps:
    parts: list[tuple[np.ndarray, ...]] = []
    detections = regions = 0
    for image in images:
        mine, true = image.ids == label_id, image.truth_ids == label_id
        common, pixels = image.common[mine][:, true], image.pixels[mine]
        size, group = image.truth_pixels[true], image.truth_is_group[true]
        small = size < SMALLEST_TRUTH
        # A group that is small counts twice, as in the benchmark's own program.
        ignored = image.void[mine] + common @ (group.astype(np.int64) + small)
        first, second = np.nonzero(common)
        shared = common[first, second]
        iou = shared / (size[second] + pixels[first] - shared)
        pairs = (first + detections, second + regions, iou)
        parts.append((image.scores[mine], ignored / pixels, ~group & ~small, *pairs))
        detections, regions = detections + len(pixels), regions + len(size)
    dtypes = (np.float64, np.float64, bool, np.int64, np.int64, np.float64)
    columns = zip(*parts, strict=True) if parts else [()] * len(dtypes)
    joined = [
        np.concatenate([np.zeros(0, dtype), *column]).astype(dtype)
        for dtype, column in zip(dtypes, columns, strict=True)
    ]
    names = ("scores", "ignored", "counted", "detection", "region", "iou")
    return _ClassOverlaps(**dict(zip(names, joined, strict=True)))


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
