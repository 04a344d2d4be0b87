from misc.run import progress
from misc.run.workers import map_images


def test_a_bar_says_which_stage_of_how_many_it_is_in(capfd, monkeypatch):
    monkeypatch.setattr(progress, "_place", "")
    progress.in_stage(3, 15)
    list(map_images(["a"], str.upper, description="make_cam"))
    assert "3/15 make_cam" in capfd.readouterr().err
