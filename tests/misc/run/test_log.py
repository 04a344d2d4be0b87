from misc.run.log import logger, start_log


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
