import numpy as np

from misc.masks import mask_iou, numbered_map


def test_is_exact_beyond_the_integers_of_float32():
    # 2^24 + 1 shared pixels: one float32 sum would lose the last.
    mask = np.ones((1, 1, 2**24 + 3), dtype=bool)
    other = mask.copy()
    other[..., :2] = False
    assert mask_iou(mask, other).item() == (2**24 + 1) / (2**24 + 3)


def test_detections_are_numbered_by_falling_score_and_the_better_one_is_seen():
    masks = np.zeros((3, 1, 4), bool)
    masks[0, 0, :2] = masks[1, 0, 1:3] = masks[2, 0, 3] = True
    numbers = numbered_map(masks, np.array([0.5, 1.0, 0.0]))  # a score of 0 is no detection
    assert numbers.tolist() == [[2, 1, 1, 0]]
