import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from misc.metrics import (
    average_precision,
    average_precision_in_orders,
    confusion,
    iou_per_class,
    match_detections,
    mean_average_precision,
    mean_iou,
    ranking_precision,
    threshold_confusions,
)

# --- label maps -------------------------------------------------------------------------------


def naive_confusion(prediction, truth, num_labels):
    counts = np.zeros((num_labels, num_labels), dtype=np.int64)
    for predicted, actual in zip(prediction.ravel(), truth.ravel(), strict=True):
        if actual != 255:
            counts[actual, predicted] += 1
    return counts


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_confusion_has_true_rows_and_ignores_255(dtype):
    truth = np.array([[0, 0, 1], [2, 255, 255]], dtype)
    prediction = np.array([[0, 1, 1], [0, 2, 1]], dtype)
    counts = confusion(prediction, truth, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert counts.dtype == np.int64


def test_confusion_refuses_wrong_shapes_and_labels():
    zeros = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"prediction of shape \(3, 2\), ground truth of \(2, 3\)"):
        confusion(zeros.T, zeros, 3)
    with pytest.raises(ValueError, match=r"predicted labels 3..3, accepted are 0..2"):
        confusion(zeros + 3, zeros, 3)
    with pytest.raises(ValueError, match=r"true labels 254..254, accepted are 0..2"):
        confusion(zeros, zeros + 254, 3)


def test_iou_is_by_hand():
    # Label 0: 3 right, 2 missed, 1 too many. Label 1: 4, 1, 2. Label 2 is nowhere. 3 is missed.
    counts = np.array([[3, 2, 0, 0], [1, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(iou_per_class(counts), [3 / 6, 4 / 7, np.nan, np.nan])
    assert mean_iou(counts) == (3 / 6 + 4 / 7) / 2
    counts[3, 0] = 4
    np.testing.assert_array_equal(iou_per_class(counts), [3 / 10, 4 / 7, np.nan, 0])


def naive_threshold_confusion(scores, keys, truth, threshold, num_labels):
    padded = np.pad(scores, ((1, 0), (0, 0), (0, 0)), constant_values=np.float32(threshold))
    prediction = np.concatenate([[0], np.asarray(keys, dtype=int) + 1])[padded.argmax(axis=0)]
    return naive_confusion(prediction, truth, num_labels)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 4),
    thresholds=st.lists(st.integers(-1, 11).map(lambda tenths: tenths / 10), max_size=6),
)
def test_all_thresholds_at_once_equal_one_argmax_each(seed, count, thresholds):
    rng = np.random.default_rng(seed)
    # Scores in tenths tie with each other and with the thresholds.
    scores = (rng.integers(0, 11, (count, 5, 6)) / 10).astype(np.float32)
    keys = rng.permutation(5)[:count]
    truth = rng.choice([0, 1, 2, 3, 4, 5, 255], (5, 6)).astype(np.uint8)
    counts = threshold_confusions(scores, keys, truth, thresholds, 6)
    assert counts.shape == (len(thresholds), 6, 6)
    assert counts.dtype == np.int64
    for result, threshold in zip(counts, thresholds, strict=True):
        expected = naive_threshold_confusion(scores, keys, truth, threshold, 6)
        np.testing.assert_array_equal(result, expected)


# --- instances --------------------------------------------------------------------------------


def bars(*spans, width=20):
    """Masks of one row, each covering the columns start..stop-1."""
    columns = np.arange(width)
    masks = [(columns >= start) & (columns < stop) for start, stop in spans]
    return np.array(masks, dtype=bool).reshape(-1, 1, width)


def record(detections, truth, ignored=(), width=20):
    """Match (class, score, start, stop) detections to (class, start, stop) true masks.

    Ignored regions are given like true masks.
    """
    return match_detections(
        bars(*(d[2:] for d in detections), width=width),
        np.array([d[1] for d in detections], dtype=np.float32),
        np.array([d[0] for d in detections], dtype=np.int64),
        bars(*(t[1:] for t in truth), width=width),
        np.array([t[0] for t in truth], dtype=np.int64),
        bars(*(region[1:] for region in ignored), width=width),
        np.array([region[0] for region in ignored], dtype=np.int64),
    )


def naive_average_precision(images, threshold, class_id):
    """Average precision written from its definition, one detection at a time."""
    total = sum(t[0] == class_id for _, truth in images for t in truth)
    if not total:
        return np.nan
    found = [
        (score, number, set(range(start, stop)))
        for number, (detections, _) in enumerate(images)
        for detected, score, start, stop in detections
        if detected == class_id
    ]
    taken, flags = set(), []
    for _, number, pixels in sorted(found, key=lambda entry: -entry[0]):
        best, best_mask = -1.0, None
        for mask, (actual, start, stop) in enumerate(images[number][1]):
            if actual == class_id:
                true_pixels = set(range(start, stop))
                union = len(pixels | true_pixels)
                iou = len(pixels & true_pixels) / union if union else 0.0
                if iou > best:
                    best, best_mask = iou, (number, mask)
        flags.append(best >= threshold and best_mask not in taken)
        if flags[-1]:
            taken.add(best_mask)
    area, recall = 0.0, 0
    for place in range(len(flags)):
        if flags[place]:
            ahead = [sum(flags[: stop + 1]) / (stop + 1) for stop in range(place, len(flags))]
            area += max(ahead) * ((recall + 1) / total - recall / total)
            recall += 1
    return area


def test_the_ranking_precision_of_classes_is_by_hand():
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0]]) > 0  # nothing shows the second class
    first = np.array([0.9, 0.8, 0.7, 0.6])
    scores = np.stack([first, first], axis=1)
    assert ranking_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)
    assert ranking_precision(np.zeros((4, 2)), labels) == 0.5  # nothing is known: half show it


def test_a_detection_mostly_on_an_ignored_region_is_neither_right_nor_wrong():
    detections = [(0, 0.9, 10, 16), (0, 0.8, 0, 5), (0, 0.7, 6, 9)]
    truth = [(0, 0, 5)]
    # The first covers 5 of its 6 pixels; without the region precision is 1/2 at the true mask.
    assert average_precision([record(detections, truth)], [0.5], num_classes=1)[0, 0] == 0.5
    covered = record(detections, truth, [(0, 11, 20)])
    assert covered.ignored.tolist() == [True, False, False]
    assert average_precision([covered], [0.5], num_classes=1)[0, 0] == 1


def test_half_on_an_ignored_region_or_on_one_of_another_class_is_wrong():
    detections, truth = [(0, 0.9, 10, 16), (0, 0.8, 0, 5)], [(0, 0, 5)]
    for regions in ([(0, 13, 20)], [(1, 10, 16)]):
        image = record(detections, truth, regions)
        assert not image.ignored.any()
        assert average_precision([image], [0.5], num_classes=2)[0, 0] == 0.5


def test_ignored_regions_of_a_class_count_together():
    image = record([(0, 0.9, 10, 16), (0, 0.8, 0, 5)], [(0, 0, 5)], [(0, 10, 12), (0, 14, 16)])
    assert image.ignored.tolist() == [True, False]


def test_a_detection_on_an_ignored_region_that_matches_a_true_mask_is_right():
    # A second one of the same mask would be wrong, but lies on the region: neither.
    image = record([(0, 0.9, 0, 5), (0, 0.8, 0, 4)], [(0, 0, 5), (0, 8, 12)], [(0, 0, 6)])
    assert average_precision([image], [0.5], num_classes=1)[0, 0] == 0.5
    wrong = record([(0, 0.9, 0, 5), (0, 0.8, 0, 4), (0, 0.7, 8, 12)], [(0, 0, 5), (0, 8, 12)])
    assert average_precision([wrong], [0.5], num_classes=1)[0, 0] == pytest.approx(1 / 2 + 1 / 3)


def test_a_class_without_detections_counts_as_zero_and_one_without_truth_not_at_all():
    image = record([(2, 0.9, 0, 5), (0, 0.5, 0, 5)], [(0, 0, 5), (1, 5, 10)])
    result = average_precision([image], [0.5], num_classes=3)
    np.testing.assert_array_equal(result, [[1, 0, np.nan]])
    assert mean_average_precision(result)[0] == 0.5


def test_no_image_and_no_truth_give_nan_without_a_warning():
    for records in ([], [record([], [])], [record([(0, 1.0, 0, 5)], [])]):
        result = average_precision(records, num_classes=2)
        assert result.shape == (4, 2)
        assert np.isnan(result).all()
        assert np.isnan(mean_average_precision(result)).all()


def test_equal_scores_are_ranked_by_the_order_of_the_images():
    wrong, right = record([(0, 1.0, 15, 20)], [(0, 0, 5)]), record([(0, 1.0, 0, 5)], [(0, 0, 5)])
    for records, expected in (([wrong, right], 0.25), ([right, wrong], 0.5)):
        assert average_precision(records, [0.5], num_classes=1)[0, 0] == expected
    found = average_precision_in_orders([wrong, right], [0.5], orders=20, num_classes=1)
    assert found.shape == (20, 1, 1)
    assert set(found.flatten()) == {0.25, 0.5}
    again = average_precision_in_orders([wrong, right], [0.5], orders=20, num_classes=1)
    np.testing.assert_array_equal(found, again)


SPAN = st.tuples(st.integers(0, 11), st.integers(0, 6)).map(lambda pair: (pair[0], sum(pair)))
DETECTION = st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.5, 0.75, 1.0]), SPAN)
TRUTH = st.tuples(st.integers(0, 2), SPAN)
IMAGE = st.tuples(
    st.lists(DETECTION.map(lambda d: (d[0], d[1], *d[2])), max_size=6),
    st.lists(TRUTH.map(lambda t: (t[0], *t[1])), max_size=4),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(images=st.lists(IMAGE, max_size=4), shuffle=st.randoms(use_true_random=False))
def test_average_precision_equals_its_definition(images, shuffle):
    thresholds = (0.25, 0.5, 0.7, 0.75)
    order = list(range(len(images)))
    shuffle.shuffle(order)
    records = [record(*image) for image in images]
    result = average_precision([records[i] for i in order], thresholds, num_classes=3)
    ordered = [images[number] for number in order]
    expected = [[naive_average_precision(ordered, t, c) for c in range(3)] for t in thresholds]
    np.testing.assert_allclose(result, np.array(expected), atol=1e-12)
