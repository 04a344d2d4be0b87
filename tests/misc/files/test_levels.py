import numpy as np
import pytest
import torch

from misc.argmax import label_map
from misc.files.levels import LEVELS, load_levels, save_levels, score_levels
from misc.instances import detect, split_winners
from misc.metrics import confusion, level_confusions

KEYS = np.array([4, 7])


def smooth_scores(maps, size=(37, 53), seed=0):
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((1, maps, 5, 6), dtype=np.float32))
    return torch.nn.functional.interpolate(small, size, mode="bilinear")[0] ** 2


@pytest.fixture
def stored(tmp_path):
    """Give score maps of two classes with two instances each, and their levels read back."""
    scores = smooth_scores(4)
    save_levels(tmp_path / "x.npz", score_levels(scores, np.repeat(KEYS, 2)))
    return scores, load_levels(tmp_path / "x.npz")


def test_every_hundredth_gives_the_detections_of_the_scores_themselves(stored):
    scores, levels = stored
    for number in range(0, len(LEVELS), 7):
        index = levels.winners(number)
        again = split_winners(index, levels.peaks, levels.classes)
        wanted = detect(scores, KEYS, 2, bg_threshold=float(LEVELS[number]))
        for name in ("score", "mask", "class"):
            assert np.array_equal(again[name], wanted[name])


def test_every_hundredth_gives_the_confusion_of_the_label_itself(stored, tmp_path):
    scores, _ = stored
    scores = scores[:2]
    levels = score_levels(scores, KEYS)
    truth = np.random.default_rng(1).choice([0, 5, 8, 255], size=levels.level.shape)
    labels = np.concatenate([[0], levels.classes + 1])[levels.index]
    found = level_confusions(labels, levels.level, truth, len(LEVELS), 21)
    for number in range(0, len(LEVELS), 7):
        label = label_map(scores, KEYS, float(LEVELS[number]))
        assert np.array_equal(found[number], confusion(label, truth, 21))


def test_an_image_without_a_map_has_levels_of_background(tmp_path):
    save_levels(tmp_path / "x.npz", score_levels(np.zeros((0, 4, 5), np.float32), []))
    levels = load_levels(tmp_path / "x.npz")
    assert levels.winners(0).tolist() == [[0] * 5] * 4
    assert len(split_winners(levels.winners(0), levels.peaks, levels.classes)["score"]) == 0


def test_equal_levels_give_equal_bytes_and_small_files(stored, tmp_path):
    _, levels = stored
    for name in "ab":
        save_levels(tmp_path / name, levels)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_size < levels.level.size * 2


def test_a_file_of_something_else_is_refused_by_name(tmp_path):
    np.savez(tmp_path / "x.npz", other=np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npz: not a file of score levels"):
        load_levels(tmp_path / "x.npz")
    with pytest.raises(FileNotFoundError):
        load_levels(tmp_path / "y.npz")
