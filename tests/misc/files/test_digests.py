import numpy as np
import pytest

from misc.files.digests import PIECE, PIECES, sampled_digest


@pytest.mark.parametrize("place", [0, 1, PIECE * PIECES - 1])
def test_every_byte_of_a_small_file_counts(tmp_path, place):
    content = bytearray(PIECE * PIECES)
    (tmp_path / "a").write_bytes(content)
    before = sampled_digest(tmp_path, ["a"])
    content[place] = 1
    (tmp_path / "a").write_bytes(content)
    assert sampled_digest(tmp_path, ["a"]) != before


@pytest.mark.parametrize("place", [0, 500_000, 999_999])
def test_beginning_middle_and_end_of_a_large_file_count(tmp_path, place):
    content = bytearray(1_000_000)
    (tmp_path / "a").write_bytes(content)
    before = sampled_digest(tmp_path, ["a"])
    content[place] = 1
    (tmp_path / "a").write_bytes(content)
    assert sampled_digest(tmp_path, ["a"]) != before


def test_one_value_anywhere_in_a_large_archive_counts(tmp_path):
    maps = np.random.default_rng(0).random((4, 300, 300)).astype(np.float32)
    found = set()
    for place in (None, 7, 30_000, 100_000, 359_999):
        changed = maps.copy()
        if place is not None:
            changed.flat[place] = 2
        np.savez(tmp_path / "a.npz", keys=np.arange(4), high_res=changed)
        found.add(sampled_digest(tmp_path, ["a.npz"]))
    assert len(found) == 5


def test_names_sizes_and_missing_files_count_and_no_order(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"")
    found = sampled_digest(tmp_path, ["a", "b"])
    assert sampled_digest(tmp_path, ["b", "a"]) == found
    assert sampled_digest(tmp_path, ["a"]) != found
    (tmp_path / "b").unlink()
    assert sampled_digest(tmp_path, ["a", "b"]) != found
