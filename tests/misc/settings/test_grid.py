"""The grid of --sweep: what it means, and what it is refused for."""

import pytest

from misc.settings.config import LABELS, SETTINGS
from misc.settings.flags import read_config
from misc.settings.grid import SWEPT, points, read_grid


def test_a_range_has_both_ends_and_the_numbers_that_one_would_type():
    assert read_grid("sem_seg_bg_thres=0.15:0.35:0.05") == {
        "sem_seg_bg_thres": [0.15, 0.2, 0.25, 0.3, 0.35]
    }
    assert read_grid("exp_times=2:7:2") == {"exp_times": [2, 4, 6]}
    assert read_grid("beta=3:3:1") == {"beta": [3.0]}


def test_a_grid_is_every_combination():
    axes = read_grid("beta=5,10  walk=True,False")
    assert axes == {"beta": [5.0, 10.0], "walk": [True, False]}
    assert points(axes) == [{"beta": b, "walk": w} for b in (5, 10) for w in (True, False)]


def test_what_is_swept_shapes_labels_and_no_network():
    for name in SWEPT:
        assert set(SETTINGS[name].affects) <= set(LABELS)
        assert SETTINGS[name].affects
    assert "irn_pad" not in SWEPT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("   ", "names no setting"),
        ("beta", "beta: accepted is NAME=VALUES, the names being cam_power, walk"),
        ("cam_scales=1", "cam_scales=1: accepted is NAME=VALUES"),
        ("beta=5 beta=10", "beta=10: beta is there twice"),
        ("beta=5,5.0", "beta=5,5.0: a value is there twice"),
        ("beta=much", "'much' is no float; accepted is a number above 0"),
        ("walk=maybe", "'maybe' is neither True nor False"),
        ("exp_times=8,21", "--exp_times 21: accepted is a whole number from 0 to 20"),
        ("beta=1:2:-1", "a range is FIRST:LAST:STEP"),
        ("beta=1:1e9:1e-9", "more than 1000 settings"),
    ],
)
def test_a_bad_grid_is_one_line(text, words):
    with pytest.raises(ValueError, match=r"^--sweep ") as caught:
        read_config(["--sweep", text])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
