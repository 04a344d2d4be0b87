from misc.run import log
from misc.run.log import begin_stage, logger, start_log
from misc.run.workers import map_images


def test_the_terminal_shows_a_warning_once_and_the_file_each_time(tmp_path, capsys):
    start_log(tmp_path / "run.log", {"seed": 0})
    for _ in range(2):
        logger.warning("5 images are missing")
        logger.info("reading")
    assert capsys.readouterr().out.splitlines() == [
        "warning: 5 images are missing",
        "reading",
        "reading",
    ]
    written = (tmp_path / "run.log").read_text()
    assert "settings: --seed 0" in written
    assert written.count("WARNING 5 images are missing") == 2


def test_a_bar_says_which_stage_of_how_many_it_is_in(capfd, monkeypatch):
    monkeypatch.setattr(log, "_stage", "")
    begin_stage(3, 15)
    list(map_images(["a"], str.upper, description="make_cam"))
    assert "3/15 make_cam" in capfd.readouterr().err
