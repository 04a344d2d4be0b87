import pytest

from misc.settings.grid import points
from misc.view.sweep_page import chart_lines


def lines(axes, rows, depends=None):
    depends = depends or {name: list(axes) for name in rows[0]}
    return chart_lines(points(axes), rows, depends)


def test_a_line_for_each_combination_of_the_settings_beside_the_longest():
    axes = {"beta": [5.0, 10.0], "sem_seg_bg_thres": [0.1, 0.2, 0.3]}
    across, found = lines(axes, [{"mIoU": n / 10} for n in range(6)])
    assert across == "sem_seg_bg_thres"
    assert found == {
        "mIoU beta 5.0": ([0.1, 0.2, 0.3], [0.0, 0.1, 0.2]),
        "mIoU beta 10.0": ([0.1, 0.2, 0.3], [0.3, 0.4, 0.5]),
    }


def test_the_best_of_the_others_where_lines_would_be_too_many():
    axes = {"beta": [5.0, 10.0, 20.0], "exp_times": [1, 2, 3, 4]}
    rows = [{"mIoU": n / 20, "AP50": float("nan") if n < 8 else 0.1} for n in range(12)]
    across, found = lines(axes, rows)
    assert across == "exp_times"
    assert found["best mIoU"] == ([1, 2, 3, 4], pytest.approx([0.4, 0.45, 0.5, 0.55]))
    assert found["best AP50"] == ([1, 2, 3, 4], [0.1] * 4)


def test_lines_are_named_by_what_their_measure_depends_on():
    axes = {"beta": [5.0, 10.0], "sem_seg_bg_thres": [0.1, 0.2, 0.3]}
    rows = [{"mIoU": n / 10, "AP50": n // 3 / 10} for n in range(6)]
    depends = {"mIoU": ["beta", "sem_seg_bg_thres"], "AP50": ["beta"]}
    names = {"mIoU beta 5.0", "mIoU beta 10.0", "AP50 beta 5.0", "AP50 beta 10.0"}
    assert lines(axes, rows, depends)[1].keys() == names
