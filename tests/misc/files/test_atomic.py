import os

import pytest

from misc.files.atomic import atomic_path, remove_abandoned, write_json


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert os.listdir(path.parent) == ["file.txt"]


def write_half_and_fail(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError, match="killed"):
        write_half_and_fail(path)
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["file.json"]


def test_what_a_killed_run_left_is_deleted_when_it_is_old(tmp_path):
    old, new, result = tmp_path / ".a.png.x.tmp", tmp_path / ".b.png.y.tmp", tmp_path / "c.png"
    for path in (old, new, result):
        path.touch()
    os.utime(old, (0, 0))
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.png.y.tmp", "c.png"]


def test_a_write_that_fails_is_one_line_with_the_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/a\.json: cannot be written \(.*\); an existing file"):
        write_json(tmp_path / "file" / "a.json", {})
