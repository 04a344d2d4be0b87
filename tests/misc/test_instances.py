import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from misc import instances
from misc.argmax import winners
from misc.instances import component_detections, detect, upsample_scores


def naive_detect(scores, keys, n_instances, bg_threshold=0.25, min_area=0.01):
    """Find the detections map by map and component by component on whole images."""
    padded = np.pad(scores, ((1, 0), (0, 0), (0, 0)), constant_values=np.float32(bg_threshold))
    winner = padded.argmax(axis=0)
    found = []
    for number in range(len(scores)):
        won = (winner == number + 1).astype(np.uint8)
        count, labels = cv2.connectedComponents(won, connectivity=4)
        for label in range(1, count):
            mask = labels == label
            score = scores[number][mask].max() if mask.sum() >= min_area * mask.size else 0
            found.append((score, mask, keys[number // n_instances]))
    return found


def smooth_scores(count, height, width, seed, size=4):
    noise = np.random.default_rng(seed).standard_normal((count, height, width))
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), size) for one in noise])
    return (np.maximum(smooth, 0) / smooth.max()).astype(np.float32)


def test_scores_are_enlarged_cut_and_divided_by_the_largest_that_is_left():
    propagated = torch.from_numpy(smooth_scores(3, 5, 6, 1))[:, None] * 7
    large = functional.interpolate(propagated, size=(20, 24), mode="bilinear", align_corners=False)[
        :, 0, :17, :22
    ]
    scores = upsample_scores(propagated, (17, 22))
    assert scores.shape == (3, 17, 22)
    assert scores.max() == 1
    torch.testing.assert_close(scores, large / large.max(), rtol=1e-6, atol=0)


def test_scores_that_are_all_zero_stay_zero_and_give_no_detection():
    scores = upsample_scores(torch.zeros(2, 1, 3, 4), (11, 16))
    assert scores.shape == (2, 11, 16)
    assert (scores == 0).all()
    assert len(detect(scores, [1, 2], 1)["score"]) == 0


@pytest.mark.parametrize("size", [(37, 50), (40, 52)])
@pytest.mark.parametrize(("count", "a_part"), [(0, 1), (1, 1), (7, 1), (7, 3), (7, 7)])
def test_winners_found_a_part_at_a_time_are_those_of_all_maps(size, count, a_part, monkeypatch):
    scores = smooth_scores(7, 10, 13, 1)[:count, None]
    scores[4:] = scores[: max(count - 4, 0)]  # ties
    monkeypatch.setattr(instances, "_PART", a_part * size[0] * size[1])
    index, best = instances.upsampled_winners(torch.from_numpy(scores * 3), size)
    expected = winners(upsample_scores(torch.from_numpy(scores * 3), size), 0.0)
    np.testing.assert_array_equal(index, expected[0])
    np.testing.assert_array_equal(best, expected[1])
    assert (index.dtype, best.dtype) == (np.int32, np.float32)


def test_a_component_under_one_percent_scores_zero_and_one_at_it_does_not():
    scores = np.zeros((1, 10, 20), dtype=np.float32)
    scores[0, 0, 0] = 1
    scores[0, 5, :2] = 0.5
    detections = detect(scores, [0], 1)
    assert detections["score"].tolist() == [0, 0.5]
    assert detections["mask"].sum(axis=(1, 2)).tolist() == [1, 2]
    assert detect(scores, [0], 1, min_area=0)["score"].tolist() == [1, 0.5]


def test_the_mean_score_of_an_instance_is_by_hand():
    index, best = np.array([[1, 1, 0, 2], [1, 0, 2, 2]]), np.float32([[1, 0.5, 9, 1], [0, 9, 1, 0]])
    found = instances.split_winners(index, best, np.array([3, 7]), score="mean")
    np.testing.assert_array_equal(found["score"], np.float32([0.5, 2 / 3]))
    assert found["score"].dtype == np.float32
    found = instances.split_winners(index, best, np.array([3, 7]), score="mean", min_area=0.5)
    assert found["score"].tolist() == [0, 0]  # 3 of 8 pixels each


@pytest.mark.parametrize("a_part", [1, 7])
def test_a_background_map_is_divided_by_the_largest_score_and_wins_ties(a_part, monkeypatch):
    scores = torch.from_numpy(smooth_scores(3, 10, 13, 1)[:, None] * 3)
    monkeypatch.setattr(instances, "_PART", a_part * 37 * 50)
    (background,) = scores[0]
    index, best = instances.upsampled_winners(scores, (37, 50), background)
    large = upsample_scores(scores, (37, 50)).numpy()
    np.testing.assert_array_equal(index, np.where(large.argmax(axis=0) > 0, large.argmax(0) + 1, 0))
    np.testing.assert_array_equal(best, large.max(axis=0))


def test_of_more_components_than_masks_can_be_held_for_the_largest_are_kept(monkeypatch):
    index = np.zeros((10, 20), np.int32)
    for row, width in enumerate((3, 9, 1, 5, 7)):
        index[2 * row, :width] = row + 1
    best, classes = (index > 0).astype(np.float32), np.arange(5)
    monkeypatch.setattr(instances, "_FEWEST_KEPT", 3)
    everything = instances.split_winners(index, best, classes)
    monkeypatch.setattr(instances, "_MASKS", 4 * index.size)
    found = instances.split_winners(index, best, classes)
    assert found["class"].tolist() == [0, 1, 3, 4]
    for name in ("mask", "score"):
        np.testing.assert_array_equal(found[name], everything[name][[0, 1, 3, 4]])
    monkeypatch.setattr(instances, "_MASKS", 1)
    assert instances.split_winners(index, best, classes)["class"].tolist() == [1, 3, 4]


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_equals_finding_them_one_by_one(size, kind):
    scores = smooth_scores(12, 60, 75, 5, size)
    keys = [9, 0, 14]
    detections = detect(kind(scores), keys, 4)
    expected = naive_detect(scores, keys, 4)
    assert len(expected) > 12
    assert 0 < np.count_nonzero(detections["score"]) < len(expected)
    np.testing.assert_array_equal(detections["score"], [score for score, _, _ in expected])
    np.testing.assert_array_equal(detections["mask"], [mask for _, mask, _ in expected])
    np.testing.assert_array_equal(detections["class"], [key for _, _, key in expected])


def test_the_baseline_is_the_components_of_the_cut_attention_maps():
    cam = smooth_scores(2, 30, 40, 3)
    detections = component_detections(cam, [4, 8], 0.3)
    expected = naive_detect(cam, [4, 8], 1, bg_threshold=0.3)
    np.testing.assert_array_equal(detections["score"], [score for score, _, _ in expected])
    np.testing.assert_array_equal(detections["mask"], [mask for _, mask, _ in expected])
    assert set(detections["class"]) == {4, 8}
