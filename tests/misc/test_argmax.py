import numpy as np
import pytest
import torch

from misc.argmax import _device_winners, winners


def naive(scores, background):
    """Argmax over a background channel and the maps, as the method is written."""
    padded = np.pad(
        scores.astype(np.float32), ((1, 0), (0, 0), (0, 0)), constant_values=np.float32(background)
    )
    return padded.argmax(axis=0), padded.max(axis=0)


def coarse_scores(count, seed=0):
    # Few values, so that maps tie with one another and with the background.
    return (np.random.default_rng(seed).integers(0, 5, (count, 6, 9)) / 5).astype(np.float32)


def on_device(scores, background):
    """Compare as on a GPU, with the CPU as the device."""
    return _device_winners(torch.from_numpy(scores), background)


@pytest.mark.parametrize("find", [winners, on_device])
@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("background", [0.0, 0.2, 2.0])
def test_is_the_argmax_with_a_background_channel_in_front(find, count, background):
    scores = coarse_scores(count)
    index, best = find(scores, background)
    expected_index, expected_best = naive(scores, background)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_array_equal(best, expected_best)
    assert (index.dtype, best.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("value", [0.05, 0.7])
def test_compares_in_float32(value):
    # In float32 0.05 is a little more than in float64, 0.7 a little less.
    scores = np.full((1, 1, 2), value)
    assert not winners(scores, value)[0].any()
    assert not winners(scores.astype(np.float32), value)[0].any()


@pytest.mark.parametrize("find", [winners, on_device])
def test_a_score_that_is_not_a_number_never_wins(find):
    scores = np.array([[[np.nan]], [[0.5]]], dtype=np.float32)
    for order in ([0, 1], [1, 0]):
        index, best = find(scores[order], 0.25)
        assert (index.item(), best.item()) == (order.index(1) + 1, 0.5)
    index, best = find(scores[:1], 0.25)
    assert (index.item(), best.item()) == (0, 0.25)


@pytest.mark.parametrize("background", [-np.inf, 0.0, 0.2, np.inf])
def test_a_device_gives_what_the_cpu_gives_of_any_values(background):
    rng = np.random.default_rng(0)
    values = np.array([np.nan, -np.inf, np.inf, -1, 0, 0.2, 0.4], dtype=np.float32)
    scores = rng.choice(values, (4, 20, 30), p=[0.4, *[0.1] * 6])
    for found, expected in zip(
        on_device(scores, background), winners(scores, background), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_what_the_cpu_gives():
    scores = coarse_scores(9)
    index, best = winners(torch.from_numpy(scores).cuda(), 0.2)
    np.testing.assert_array_equal(index, winners(scores, 0.2)[0])
    np.testing.assert_array_equal(best, winners(scores, 0.2)[1])


def test_the_background_may_be_a_map():
    scores = np.random.default_rng(0).random((2, 5, 7)).astype(np.float32)
    background = np.random.default_rng(1).random((5, 7)).astype(np.float32)
    expected = np.argmax(np.concatenate([background[None], scores]), axis=0)
    index, best = winners(scores, background)
    assert (index == expected).all()
    assert (best == np.maximum(background, scores.max(axis=0))).all()
    for found, other in zip(
        _device_winners(torch.from_numpy(scores), background), (index, best), strict=True
    ):
        assert (found == other).all()
