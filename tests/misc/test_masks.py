import numpy as np
import pytest

from misc import masks
from misc.masks import mask_iou, numbered_map


def naive(first, second):
    iou = np.zeros((len(first), len(second)))
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            union = (one | other).sum()
            iou[i, j] = (one & other).sum() / union if union else 0
    return iou


@pytest.mark.parametrize("part", [1, 7, 2**22])
def test_equals_the_pairwise_count_however_the_pixels_are_parted(monkeypatch, part):
    monkeypatch.setattr(masks, "_PART", part)
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 8, 9)) > 0.6, rng.random((4, 8, 9)) > 0.3
    np.testing.assert_array_equal(mask_iou(first, second), naive(first, second))


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


def test_of_detections_that_overlap_the_better_one_is_seen():
    masks = np.ones((2, 1, 2), bool)
    masks[1, 0, 0] = False
    assert numbered_map(masks, np.array([0.5, 1.0])).tolist() == [[2, 1]]
