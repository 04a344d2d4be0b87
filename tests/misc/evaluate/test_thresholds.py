import pytest

from misc.evaluate.details import suggested


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
