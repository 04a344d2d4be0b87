import numpy as np
import pytest

from misc import masks
from misc.masks import counted_order, mask_iou, numbered_map


def naive(first, second):
    iou = np.zeros((len(first), len(second)))
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            union = (one | other).sum()
            iou[i, j] = (one & other).sum() / union if union else 0
    return iou


def test_counts_shared_over_covered_pixels():
    first = np.array([[[1, 1, 1, 0]], [[0, 0, 0, 0]]], dtype=bool)
    second = np.array([[[0, 1, 1, 1]], [[1, 1, 1, 0]], [[0, 0, 0, 0]]], dtype=bool)
    assert mask_iou(first, second).tolist() == [[0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("part", [1, 7, 2**22])
def test_equals_the_pairwise_count_however_the_pixels_are_parted(monkeypatch, part):
    monkeypatch.setattr(masks, "_PART", part)
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 8, 9)) > 0.6, rng.random((4, 8, 9)) > 0.3
    np.testing.assert_array_equal(mask_iou(first, second), naive(first, second))


@pytest.mark.parametrize(("count", "other"), [(0, 3), (3, 0), (0, 0)])
def test_no_mask_gives_an_empty_table(count, other):
    assert mask_iou(np.zeros((count, 4, 5), bool), np.ones((other, 4, 5), bool)).shape == (
        count,
        other,
    )


def test_is_exact_beyond_the_integers_of_float32():
    # 2^24 + 1 shared pixels: one float32 sum would lose the last.
    mask = np.ones((1, 1, 2**24 + 3), dtype=bool)
    other = mask.copy()
    other[..., :2] = False
    assert mask_iou(mask, other).item() == (2**24 + 1) / (2**24 + 3)


def test_detections_are_numbered_by_falling_score_without_those_of_score_0():
    masks = np.zeros((3, 1, 4), bool)
    masks[0, 0, 0] = masks[1, 0, 1:3] = masks[2, 0, 3] = True
    numbers = numbered_map(masks, np.array([0.5, 1.0, 0.0]))
    assert numbers.tolist() == [[2, 1, 1, 0]]


def test_detections_below_a_score_are_not_numbered():
    masks = np.zeros((2, 1, 2), bool)
    masks[0, 0, 0] = masks[1, 0, 1] = True
    scores = np.array([0.4, 0.5])
    assert numbered_map(masks, scores, least=0.5).tolist() == [[0, 1]]
    assert counted_order(scores, least=0.5) == [1]


def test_of_detections_that_overlap_the_better_one_is_seen():
    masks = np.ones((2, 1, 2), bool)
    masks[1, 0, 0] = False
    assert numbered_map(masks, np.array([0.5, 1.0])).tolist() == [[2, 1]]
