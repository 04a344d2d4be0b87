"""The random walk against a dense float64 one, and the index arrays of PathIndex."""

import math

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from misc.indexing import (
    MAPS_AT_ONCE,
    TAIL,
    PathIndex,
    chebyshev_coefficients,
    propagate_to_edge,
)


def dense_affinity(boundary: np.ndarray, *, radius: int, beta: float) -> np.ndarray:
    """A of METHOD.md section 5, pair by pair."""
    height, width = boundary.shape
    affinity = np.eye(height * width).reshape(height, width, height, width)
    for dy, dx in np.ndindex(radius, 2 * radius - 1):
        dx -= radius - 1
        length = dy * dy + dx * dx
        if (dy == 0 and dx <= 0) or length >= radius * radius:
            continue
        if dy >= height or abs(dx) >= width:
            continue
        y, x = np.mgrid[: height - dy, max(0, -dx) : width - max(0, dx)]
        path = [
            boundary[y + row, x + column]
            for row in range(dy + 1)
            for column in range(min(0, dx), max(0, dx) + 1)
            if (dy * column - dx * row) ** 2 / length < 1
        ]
        shared = (1 - np.max(path, axis=0)) ** beta
        affinity[y, x, y + dy, x + dx] = affinity[y + dy, x + dx, y, x] = shared
    return affinity.reshape(height * width, height * width)


def dense_walk(
    x: torch.Tensor, edge: torch.Tensor, *, radius: int = 5, beta: float = 10, exp_times: int = 8
) -> np.ndarray:
    """x·(1 - edge)·T^(2^exp_times) in float64, one step after the other."""
    boundary = edge[0].double().numpy()
    transition = dense_affinity(boundary, radius=radius, beta=beta)
    transition /= transition.sum(0)
    transition = scipy.sparse.csr_matrix(transition)  # its zeros would take most of the time
    scores = (x.double().numpy() * (1 - boundary)).reshape(-1, boundary.size)
    for _ in range(2**exp_times):
        scores = scores @ transition
    return scores.reshape(-1, 1, *boundary.shape)


def smooth_noise(rng: np.random.Generator, size: tuple[int, int]) -> torch.Tensor:
    coarse = torch.from_numpy(rng.random((1, 1, size[0] // 6 + 2, size[1] // 6 + 2)))
    fine = torch.nn.functional.interpolate(coarse, size, mode="bicubic")
    return fine[0, 0].clamp(0, 1).float()


def contours(size: tuple[int, int]) -> torch.Tensor:
    """Closed contours, one pixel thin, with the values 0 and 1."""
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.maximum(abs(y - size[0] // 2), abs(x - size[1] // 2))
    return torch.from_numpy((distance % 9 == 3).astype(np.float32))


def boundaries(size: tuple[int, int]) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    return {
        "none": torch.zeros(size),
        "smooth": smooth_noise(rng, size),
        "steep": torch.sigmoid(60 * (smooth_noise(rng, size) - 0.5)),
        "contours": contours(size),
        "noise": torch.from_numpy(rng.random(size)).float(),
    }


def score_maps(size: tuple[int, int]) -> torch.Tensor:
    """Smooth scores, one box of them, and a lone pixel."""
    scores = torch.stack([smooth_noise(np.random.default_rng(1), size)] * 3)
    scores[1, : size[0] // 3] = scores[1, :, size[1] // 3 :] = 0
    scores[2] = 0
    scores[2, size[0] // 2, size[1] // 2] = 1
    return scores


def assert_is_walk(result: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """Each map is within the tolerance of the expected one's largest value, at every pixel."""
    assert result.shape == expected.shape
    largest = np.abs(expected).max((1, 2, 3), keepdims=True)
    assert (np.abs(result.double().numpy() - expected) <= tolerance * largest).all()


KINDS = ["none", "smooth", "steep", "contours", "noise"]


@pytest.mark.parametrize(
    ("size", "kind"),
    [(size, kind) for size in ((7, 61), (40, 52)) for kind in KINDS],
    ids=str,
)
def test_walk_is_the_dense_one(size: tuple[int, int], kind: str) -> None:
    x, edge = score_maps(size), boundaries(size)[kind][None]
    assert_is_walk(propagate_to_edge(x, edge), dense_walk(x, edge))


@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    radius=st.integers(1, 6),
    beta=st.sampled_from([0, 0.5, 1, 10]),
    exp_times=st.integers(0, 10),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=40, derandomize=True)
def test_any_setting_on_any_small_grid(
    size: tuple[int, int], radius: int, beta: float, exp_times: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, edge = torch.rand(2, *size, generator=generator), torch.rand(1, *size, generator=generator)
    setting = {"radius": radius, "beta": beta, "exp_times": exp_times}
    assert_is_walk(propagate_to_edge(x, edge, **setting), dense_walk(x, edge, **setting), 2e-5)


def test_more_maps_than_are_walked_at_once() -> None:
    x, edge = torch.rand(MAPS_AT_ONCE + 1, 6, 7), torch.rand(1, 6, 7)
    together = propagate_to_edge(x, edge, exp_times=3)
    alone = torch.cat([propagate_to_edge(one[None], edge, exp_times=3) for one in x])
    torch.testing.assert_close(together, alone)


def test_float64_error_is_within_the_stated_bound_at_every_pixel() -> None:
    size = (8, 30)
    x, edge = score_maps(size).double(), boundaries(size)["smooth"][None].double()
    affinity = dense_affinity(edge[0].numpy(), radius=5, beta=10)
    root = np.sqrt(affinity.sum(0))
    symmetric = affinity / np.outer(root, root)
    start = (x * (1 - edge)).reshape(3, -1).numpy() * root @ symmetric @ symmetric
    bound = TAIL * np.linalg.norm(start, axis=1, keepdims=True) / root
    error = np.abs(propagate_to_edge(x, edge).numpy() - dense_walk(x, edge)).reshape(3, -1)
    assert (error <= bound).all()
    assert error.max() > 0


@pytest.mark.parametrize(
    ("power", "tail"), [(0, 1e-7), (1, 1e-7), (7, 1e-3), (254, 1e-3), (254, 1e-7)]
)
def test_coefficients_are_the_binomial_ones_up_to_the_least_degree_under_the_tail(
    power: int, tail: float
) -> None:
    exact = [0.0] * (power + 1)
    for k in range(power % 2, power + 1, 2):
        ways = math.comb(power, (power - k) // 2) * (1 if k == 0 else 2)
        exact[k] = ways / 2**power
    coefficients = chebyshev_coefficients(power, tail)
    np.testing.assert_allclose(coefficients, exact[: len(coefficients)], rtol=1e-12, atol=0)
    assert sum(exact[len(coefficients) :]) <= tail
    assert sum(exact[len(coefficients) - 1 :]) > tail


@pytest.mark.parametrize(
    ("x", "edge", "message"),
    [
        (
            torch.zeros(6, 7),
            torch.zeros(1, 6, 7),
            r"x: found torch.float32 \(6, 7\), accepted floating-point",
        ),
        (torch.zeros(1, 6, 7), torch.zeros(1, 7, 6), r"accepted \(1, 6, 7\)"),
    ],
)
def test_wrong_shapes_are_refused(x: torch.Tensor, edge: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        propagate_to_edge(x, edge)


@pytest.mark.parametrize("setting", [{"radius": 0}, {"beta": -1}, {"exp_times": -1}])
def test_settings_out_of_range_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="accepted a radius from 1, beta and exp_times from 0"):
        propagate_to_edge(torch.zeros(1, 6, 7), torch.zeros(1, 6, 7), **setting)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_walks_as_the_cpu_does() -> None:
    size = (40, 52)
    x, edge = score_maps(size), boundaries(size)["smooth"][None]
    walked = propagate_to_edge(x.cuda(), edge.cuda())
    assert walked.is_cuda
    assert_is_walk(walked.cpu(), propagate_to_edge(x.double(), edge).numpy())


def test_path_index_by_hand() -> None:
    index = PathIndex(radius=2, default_size=(3, 4))
    assert (index.radius, index.radius_floor) == (2, 1)
    straight, diagonal = index.search_paths
    assert straight.tolist() == [[[0, 1], [0, 0]], [[1, 0], [0, 0]]]
    assert diagonal.tolist() == [
        [[1, -1], [0, -1], [1, 0], [0, 0]],
        [[1, 1], [0, 1], [1, 0], [0, 0]],
    ]
    assert index.search_dst.tolist() == [[0, 1], [1, 0], [1, -1], [1, 1]]
    assert index.src_indices.tolist() == [1, 2, 5, 6]
    assert index.dst_indices.tolist() == [[2, 3, 6, 7], [5, 6, 9, 10], [4, 5, 8, 9], [6, 7, 10, 11]]
    assert index.path_indices[1][0].tolist() == [
        [4, 5, 8, 9],
        [0, 1, 4, 5],
        [5, 6, 9, 10],
        [1, 2, 5, 6],
    ]


def test_path_index_computes_the_large_arrays_only_when_asked() -> None:
    index = PathIndex(10, (10**6, 10**6))  # the arrays would not fit in any memory
    assert len(index.search_dst) == 152
    assert index.get_path_indices((20, 20))[1].size == 11 * 2
