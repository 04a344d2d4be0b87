import numpy as np
import pytest

from misc.files.cam_files import CamFolder
from misc.files.levels import LEVELS
from misc.measuring.thresholds import between_two_classes, count_scores, guessed, suggested


@pytest.mark.parametrize(
    ("best", "foreground", "background"),
    [(0.15, 0.30, 0.05), (0.2, 0.35, 0.1), (0.05, 0.2, 0.01), (0.9, 0.99, 0.8)],
)
def test_the_published_thresholds_follow_from_the_published_best(best, foreground, background):
    assert suggested(best) == {
        "cam_eval_thres": best,
        "conf_fg_thres": foreground,
        "conf_bg_thres": background,
    }


@pytest.mark.parametrize(("split", "guess"), [(0.15, 0.15), (0.34, 0.24), (0.05, 0.1)])
def test_the_guess_is_half_way_to_the_published_threshold(split, guess):
    assert guessed(split) == pytest.approx(guess, abs=0.005001)


def test_the_guess_lies_between_two_groups_of_scores():
    counts = np.zeros(100, np.int64)
    counts[5:15], counts[60:70] = 100, 20
    assert 0.14 <= between_two_classes(counts) <= 0.61


def test_the_guess_splits_as_a_search_over_all_splits_does():
    counts = np.random.default_rng(0).integers(0, 50, 100)
    scores = np.repeat(np.append(LEVELS - 0.005, 0.995), counts)
    within = [
        part.size * part.var() + rest.size * rest.var()
        for part, rest in ((scores[scores < t], scores[scores > t]) for t in LEVELS)
    ]
    assert between_two_classes(counts) == LEVELS[np.argmin(within)]


def test_scores_are_counted_by_the_levels_that_they_exceed(tmp_path):
    class Images:
        def image(self, image_id):
            return np.zeros((2, 2, 3), np.uint8)

    maps = np.array([[[0.0, 0.015], [0.5, 1.0]], [[0.0, 0.0], [0.2, 0.0]]], np.float32)
    np.save(tmp_path / "a.npy", {"keys": np.array([0, 3]), "high_res": maps})
    np.save(tmp_path / "b.npy", {"keys": np.zeros(0, np.int64)})
    folder = CamFolder(path=tmp_path, num_classes=5)
    counts = count_scores(Images(), folder, "a")
    assert np.flatnonzero(counts).tolist() == [0, 1, 49, 99]
    assert not count_scores(Images(), folder, "b").any()
