import numpy as np
import pytest

from misc.files.digests import content_digest


@pytest.mark.parametrize("place", [0, 500_000, 999_999])
def test_beginning_middle_and_end_of_a_large_file_count(tmp_path, place):
    content = bytearray(1_000_000)
    (tmp_path / "a").write_bytes(content)
    before = content_digest([tmp_path / "a"])
    content[place] = 1
    (tmp_path / "a").write_bytes(content)
    assert content_digest([tmp_path / "a"]) != before


def test_one_value_anywhere_in_a_large_archive_counts(tmp_path):
    maps = np.random.default_rng(0).random((4, 300, 300)).astype(np.float32)
    found = set()
    for place in (None, 7, 30_000, 100_000, 359_999):
        changed = maps.copy()
        if place is not None:
            changed.flat[place] = 2
        np.savez(tmp_path / "a.npz", keys=np.arange(4), high_res=changed)
        found.add(content_digest([tmp_path / "a.npz"]))
    assert len(found) == 5


def test_sizes_missing_files_and_the_order_count(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"")
    found = {content_digest(paths) for paths in ([a, b], [b, a], [a])}
    b.unlink()
    assert len({*found, content_digest([a, b])}) == 4
