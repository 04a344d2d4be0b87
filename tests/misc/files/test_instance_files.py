import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from misc.files.labels import load_instances, save_instances


def detections_of(masks):
    masks = np.asarray(masks, dtype=bool)
    rng = np.random.default_rng(0)
    return {
        "score": rng.random(len(masks), dtype=np.float32),
        "mask": masks,
        "class": rng.integers(0, 20, len(masks)),
    }


def assert_same(loaded, saved):
    assert set(loaded) == {"score", "mask", "class"}
    for name, dtype in (("score", np.float32), ("mask", np.bool_), ("class", np.int64)):
        assert loaded[name].dtype == dtype
        np.testing.assert_array_equal(loaded[name], saved[name])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9)),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_what_is_loaded_is_what_was_saved(tmp_path_factory, seed, shape, share):
    path = tmp_path_factory.mktemp("instances") / "image.npz"
    saved = detections_of(np.random.default_rng(seed).random(shape) < share)
    save_instances(path, saved)
    assert_same(load_instances(path), saved)


def test_equal_detections_give_equal_bytes_that_hold_no_date(tmp_path):
    saved = detections_of(np.random.default_rng(1).random((3, 20, 30)) > 0.5)
    for name in ("first.npz", "second.npz"):
        save_instances(tmp_path / name, saved)
    first, second = ((tmp_path / name).read_bytes() for name in ("first.npz", "second.npz"))
    assert first == second
    with zipfile.ZipFile(tmp_path / "first.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "pickle.npz"
    np.savez(path, score=np.array([print], dtype=object), shape=[1, 1, 1], runs=[1])
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_instances(path)
