"""Documented commands that need what an earlier one has made, and those earlier ones."""

import shlex
import shutil

import pytest

from tests import documented, foreign_cams
from tests.documented import RUNS, run_before


@pytest.fixture(scope="module")
def finished(voc_folder, tmp_path_factory):
    """Give a function that runs a command in a folder, once, and returns the folder."""
    done = {}

    def folder_of(words):
        if words not in done:
            done[words] = tmp_path_factory.mktemp("finished")
            documented.place_data(voc_folder, done[words])
            documented.run_whole(done[words], shlex.split(words))
        return done[words]

    return folder_of


@pytest.mark.parametrize("command", [c for c in RUNS if run_before(c) is not None], ids=str)
def test_a_run_that_follows_another_finishes(command, finished, tmp_path):
    words = run_before(command)
    folder = finished(words)
    if command.endswith(f"run_sample.py {words}"):
        return
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, symlinks=True)
    if "my_cams" in command:
        foreign_cams.convert(tmp_path / "result" / "cam", tmp_path / "my_cams")
        shutil.rmtree(tmp_path / "sess")
        if "--tables" not in command:
            shutil.rmtree(tmp_path / "result")
    if "--compare" in command:
        shutil.copytree(folder, tmp_path / "runs/beta5", symlinks=True)
    documented.run_command(command, tmp_path)
