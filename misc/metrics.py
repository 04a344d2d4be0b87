"""How good label maps and instances are: mean IoU and VOC's average precision of masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from misc.argmax import winners
from misc.imutils import IGNORE
from misc.masks import mask_iou, mostly_on_regions


def confusion(prediction: np.ndarray, truth: np.ndarray, num_labels: int) -> np.ndarray:
    """Compute the confusion matrix of an image: pixels by true and predicted label.

    Args:
        prediction: integer (H, W), values in 0..num_labels-1.
        truth: integer (H, W), values in 0..num_labels-1, or 255 where ignored.
        num_labels: number of labels, the background included.

    Returns:
        int64 (num_labels, num_labels), rows are true labels, columns predicted ones.

    Raises:
        ValueError: the shapes differ, or a label is outside the range.
    """
    _check_same_shape(prediction.shape, truth.shape)
    counted = truth != IGNORE
    predicted, actual = prediction[counted], truth[counted]
    _check_labels("predicted", predicted, num_labels)
    _check_labels("true", actual, num_labels)
    cells = actual.astype(np.int64) * num_labels + predicted
    return np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)


def iou_per_class(confusion: np.ndarray) -> np.ndarray:
    """Compute each label's intersection over union from a confusion matrix.

    Args:
        confusion: (..., n, n), rows are true labels.

    Returns:
        float64 (..., n), NaN for a label that is neither present nor predicted.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    union = confusion.sum(axis=-1) + confusion.sum(axis=-2) - right
    return np.divide(right, union, out=np.full_like(right, np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> np.ndarray:
    """Compute the mean IoU over the labels that are present or predicted.

    Args:
        confusion: (..., n, n), rows are true labels.

    Returns:
        float64 (...), NaN where nothing was counted.
    """
    return _mean_of_numbers(iou_per_class(confusion))


def threshold_confusions(
    scores: np.ndarray,
    keys: np.ndarray,
    truth: np.ndarray,
    thresholds: Sequence[float] | np.ndarray,
    num_labels: int,
) -> np.ndarray:
    """Compute the confusion at every background threshold in one pass over the image.

    A pixel is of the class of its largest score where that exceeds the threshold, and
    background elsewhere, compared in float32.

    Args:
        scores: float32 (K, H, W), one map per class; K may be 0.
        keys: (K,), the class of each map, 0-based.
        truth: integer (H, W), 0 background, class + 1, 255 ignored.
        thresholds: T numbers in any order.
        num_labels: number of labels, the background included.

    Returns:
        int64 (T, num_labels, num_labels), rows are true labels.

    Raises:
        ValueError: the shapes differ, or a label is outside the range.
    """
    _check_same_shape(scores.shape[1:], truth.shape)
    levels = np.asarray(thresholds, dtype=np.float32)
    order = np.argsort(levels)
    # Without any map the maximum is minus infinity: background at every threshold.
    index, best = winners(scores, -np.inf)
    labels = np.concatenate([[0], np.asarray(keys) + 1]).astype(np.int64)
    exceeded = np.searchsorted(levels[order], best, side="left")
    result = np.empty((len(levels), num_labels, num_labels), np.int64)
    result[order] = level_confusions(labels[index], exceeded, truth, len(levels), num_labels)
    return result


def level_confusions(
    labels: np.ndarray, exceeded: np.ndarray, truth: np.ndarray, steps: int, num_labels: int
) -> np.ndarray:
    """Compute the confusion at each of T rising thresholds: int64 (T, num_labels, num_labels).

    Args:
        labels: integer (H, W), a pixel's label where it is foreground.
        exceeded: integer (H, W) in 0..T, how many of the thresholds its score exceeds: it is
            foreground at those, the lowest ones.
        truth: integer (H, W), as for `threshold_confusions`, which raises the same errors.
        steps: T.
        num_labels: number of labels, the background included.
    """
    _check_same_shape(labels.shape, truth.shape)
    counted = truth != IGNORE
    predicted, actual = labels[counted].astype(np.int64), truth[counted]
    _check_labels("predicted", predicted, num_labels)
    _check_labels("true", actual, num_labels)
    cells = (exceeded[counted].astype(np.int64) * num_labels + actual) * num_labels + predicted
    counts = np.bincount(cells, minlength=(steps + 1) * num_labels**2)
    counts = counts.reshape(steps + 1, num_labels, num_labels)
    below = np.cumsum(counts, axis=0)[:-1]
    above = counts.sum(axis=0) - below
    above[:, :, 0] += below.sum(axis=2)
    return above


_NONE = np.zeros(0, bool)


@dataclass(frozen=True, kw_only=True)
class ImageMatches:
    """One image's detections matched to its ground truth: all that average precision needs.

    Attributes:
        classes: int64 (N,), the class of each detection.
        scores: float32 (N,), its score.
        best_iou: float64 (N,), its highest IoU with a true mask of its class; 0 without one.
        best_index: int64 (N,), which of the image's true masks that is; -1 without one.
        gt_classes: int64 (M,), the class of each true mask.
        ignored: bool (N,), whether more than half of it lies on ignored regions of its class.
    """

    classes: np.ndarray
    scores: np.ndarray
    best_iou: np.ndarray
    best_index: np.ndarray
    gt_classes: np.ndarray
    ignored: np.ndarray


def match_detections(
    masks: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    gt_masks: np.ndarray,
    gt_classes: np.ndarray,
    ignored_masks: np.ndarray = _NONE,
    ignored_classes: np.ndarray = _NONE,
) -> ImageMatches:
    """Match each detection of an image to the true mask of its class with the highest IoU.

    Args:
        masks: bool (N, H, W), the detections; N may be 0.
        scores: (N,), their scores.
        classes: (N,), their classes, 0-based.
        gt_masks: bool (M, H, W), the true masks; M may be 0.
        gt_classes: (M,), their classes.
        ignored_masks: bool (R, H, W), regions to be ignored, as crowds; none by default.
        ignored_classes: (R,), their classes.

    Returns:
        this image's record, whose size does not depend on the image's.

    Raises:
        ValueError: the shapes do not fit.
    """
    counts = [(len(gt_masks), len(gt_classes)), (len(ignored_masks), len(ignored_classes))]
    if not len(masks) == len(scores) == len(classes) or any(a != b for a, b in counts):
        raise ValueError(
            f"{len(masks)} masks with {len(scores)} scores and {len(classes)} classes, "
            f"{len(gt_masks)} true masks with {len(gt_classes)} classes, "
            f"{len(ignored_masks)} ignored ones with {len(ignored_classes)}"
        )
    _check_same_shape(masks.shape[1:], gt_masks.shape[1:])
    classes, gt_classes = (np.asarray(ids, dtype=np.int64) for ids in (classes, gt_classes))
    best_iou, best_index = np.zeros(len(masks)), np.full(len(masks), -1)
    for class_id in np.intersect1d(classes, gt_classes):
        detected, actual = (np.flatnonzero(ids == class_id) for ids in (classes, gt_classes))
        iou = mask_iou(masks[detected], gt_masks[actual])
        best_iou[detected] = iou.max(axis=1)
        best_index[detected] = actual[iou.argmax(axis=1)]
    return ImageMatches(
        classes=classes,
        scores=np.asarray(scores, dtype=np.float32),
        best_iou=best_iou,
        best_index=best_index,
        gt_classes=gt_classes,
        ignored=mostly_on_regions(masks, classes, ignored_masks, ignored_classes),
    )


def join_matches(records: Sequence[ImageMatches]) -> ImageMatches:
    """Join the records of images, in their order, to one that has the same average precision.

    True masks are numbered over all images, so that one number says which is matched.
    """
    starts = np.cumsum([0, *(len(record.gt_classes) for record in records)])
    places = [
        np.where(record.best_index < 0, -1, record.best_index + start)
        for record, start in zip(records, starts, strict=False)
    ]
    return ImageMatches(
        classes=_joined([record.classes for record in records], np.int64),
        scores=_joined([record.scores for record in records], np.float32),
        best_iou=_joined([record.best_iou for record in records], np.float64),
        best_index=_joined(places, np.int64),
        gt_classes=_joined([record.gt_classes for record in records], np.int64),
        ignored=_joined([record.ignored for record in records], np.bool_),
    )


def average_precision(
    records: Sequence[ImageMatches],
    thresholds: Sequence[float] = (0.25, 0.5, 0.7, 0.75),
    *,
    num_classes: int,
) -> np.ndarray:
    """Compute VOC's average precision of masks, AP^r, for each IoU threshold and class.

    Detections of all images are ranked by descending score, equal scores in image order. One is
    a true positive if its best IoU reaches the threshold and its true mask is not matched yet,
    else a false positive, or neither if it lies mostly on ignored regions. AP is the area under the
    monotone precision-recall curve.

    Args:
        records: one per image, of `match_detections`.
        thresholds: T IoU thresholds above 0.
        num_classes: number of foreground classes C.

    Returns:
        float64 (T, C), NaN for a class without ground truth.
    """
    found = join_matches(records)
    falling = np.argsort(-found.scores, kind="stable")
    result = np.full((len(thresholds), num_classes), np.nan)
    for class_id in np.unique(found.gt_classes):
        mine = falling[found.classes[falling] == class_id]
        total = int(np.count_nonzero(found.gt_classes == class_id))
        for row, threshold in enumerate(thresholds):
            right = _first_of_each(found.best_index[mine], found.best_iou[mine] >= threshold)
            result[row, class_id] = _area(right[right | ~found.ignored[mine]], total)
    return result


def mean_average_precision(average_precisions: np.ndarray) -> np.ndarray:
    """Average over the classes that have ground truth: (..., C) to (...)."""
    return _mean_of_numbers(average_precisions)


def ranking_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mAP of image-level classes, over the classes that occur.

    A class's AP is the mean, over the images that show it, of the precision among all images that
    score at least as much.

    Args:
        scores: (N, C).
        labels: bool (N, C), whether an image shows a class; one at least does.
    """
    precisions = []
    for score, shown in zip(scores.T, labels.T, strict=True):
        if shown.any():
            own, every = np.sort(score[shown]), np.sort(score)
            right, found = (len(s) - np.searchsorted(s, own) for s in (own, every))
            precisions.append((right / found).mean())
    return float(np.mean(precisions))


def average_precision_in_orders(
    records: Sequence[ImageMatches],
    thresholds: Sequence[float],
    *,
    num_classes: int,
    orders: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """Compute the average precision in random orders of the images, which rank equal scores.

    With its peak as an instance's score, each image's best is 1: ties are many.

    Returns:
        float64 (orders, T, C); see `average_precision`.
    """
    rng = np.random.default_rng(seed)
    shuffled = ([records[i] for i in rng.permutation(len(records))] for _ in range(orders))
    return np.array([average_precision(r, thresholds, num_classes=num_classes) for r in shuffled])


def _first_of_each(masks: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Return which detections are the first to match the true mask that they overlap most."""
    right = np.zeros(len(masks), dtype=bool)
    candidates = np.flatnonzero(reached)
    right[candidates[np.unique(masks[candidates], return_index=True)[1]]] = True
    return right


def _area(right: np.ndarray, total: int) -> float:
    """Integrate monotone precision over recall; each true positive adds 1 / total."""
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    return float(monotone[right].sum() / total)


def _mean_of_numbers(values: np.ndarray) -> np.ndarray:
    """Average the last axis without its NaNs; NaN, and no warning, where all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _joined(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)


def _check_same_shape(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    if first != second:
        raise ValueError(f"prediction of shape {first}, ground truth of {second}")


def _check_labels(kind: str, labels: np.ndarray, num_labels: int) -> None:
    if labels.size and not 0 <= labels.min() <= labels.max() < num_labels:
        raise ValueError(
            f"{kind} labels {labels.min()}..{labels.max()}, accepted are 0..{num_labels - 1}"
        )
