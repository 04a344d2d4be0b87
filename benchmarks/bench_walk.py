"""The random walk against the published method, its memory, and the memory bandwidth."""

import sys
from functools import partial

import torch

from benchmarks.harness import Row, in_fresh_process, interleaved, peak_memory
from benchmarks.scenes import GRID, blobs, boundary
from misc.indexing import chebyshev_coefficients, pair_offsets, path_pixels, propagate_to_edge

SMALL_GRID = (40, 52)
LARGE_GRID = (256, 512)
RADIUS, BETA, EXP_TIMES = 5, 10, 8


def dense_transition(edge: torch.Tensor) -> torch.Tensor:
    """Build T, dense (h·w, h·w) in the dtype of edge (1, h, w), one offset at a time."""
    height, width = edge.shape[1:]
    pixels = torch.arange(height * width).view(height, width)
    transition = torch.eye(height * width, dtype=edge.dtype)
    for dy, dx in pair_offsets(RADIUS):
        rows, left, right = height - dy, max(0, -dx), width - max(0, dx)
        path = [edge[0, y : y + rows, left + x : right + x] for y, x in path_pixels(dy, dx)]
        affinity = (1 - torch.stack(path).amax(0)).flatten()
        source = pixels[:rows, left:right].flatten()
        target = source + dy * width + dx
        transition[source, target] = transition[target, source] = affinity
    transition = transition.pow_(BETA)
    return transition.div_(transition.sum(0))


def published_walk(x: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
    """Square the dense T eight times, then multiply the scores by it: (K, h, w) to (K, 1, h, w)."""
    transition = dense_transition(edge)
    for _ in range(EXP_TIMES):
        transition = transition @ transition
    return ((x * (1 - edge)).flatten(1) @ transition).view(len(x), 1, *x.shape[1:])


def exact_walk(x: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
    """Take the 256 steps in float64, one by one, with the dense T."""
    transition = dense_transition(edge.double())
    scores = (x.double() * (1 - edge.double())).flatten(1)
    for _ in range(2**EXP_TIMES):
        scores = scores @ transition
    return scores.view(len(x), 1, *x.shape[1:])


def scores(size: tuple[int, int], maps: int) -> torch.Tensor:
    """Make class attention maps of soft blobs, (maps, h, w)."""
    return torch.stack([torch.from_numpy(blobs(*size, seed)) for seed in range(maps)])


def rows(*, full: bool = False) -> list[Row]:
    """Measure the walk on the grid of a 375×500 image, a smaller and a larger one."""
    return [
        *_speed_rows(),
        _bandwidth_row(),
        _large_row(),
        _exactness_row(SMALL_GRID, repeats=5),
        *([_exactness_row(GRID, repeats=1)] if full else []),
    ]


def _speed_rows() -> list[Row]:
    edge, few, many = boundary(*GRID), scores(GRID, 3), scores(GRID, 20)
    walls = (edge > 0.5).float()
    spot = torch.zeros_like(few)
    spot[:, 40:44, 60:66] = 1
    seconds, seconds_20, seconds_walls = interleaved(
        partial(propagate_to_edge, few, edge),
        partial(propagate_to_edge, many, edge),
        partial(propagate_to_edge, spot, walls),
        repeats=15,
    )
    peak = _peak_mb_of(GRID, 3)
    return [
        Row(
            what="random walk, grid 94×125, 3 maps",
            goal="at most 50 ms and 64 MB",
            met=seconds <= 0.050 and peak <= 64,
            seconds=seconds,
            peak_mb=peak,
        ),
        Row(
            what="random walk, grid 94×125, 20 maps",
            goal="at most 4 times 3 maps, 64 MB",
            met=seconds_20 <= 4 * seconds and _peak_mb_of(GRID, 20) <= 64,
            seconds=seconds_20,
            peak_mb=_peak_mb_of(GRID, 20),
            note=f"{seconds_20 / seconds:.1f} times 3 maps",
        ),
        Row(
            what="random walk, grid 94×125, small spots between walls",
            goal="at most 1.5 times soft maps: denormal numbers stay out",
            met=seconds_walls <= 1.5 * seconds,
            seconds=seconds_walls,
        ),
    ]


def _bandwidth_row() -> Row:
    """Compare with reading, once a product, each non-zero entry of T as 4 bytes."""
    height, width = GRID
    pairs = sum((height - dy) * (width - abs(dx)) for dy, dx in pair_offsets(RADIUS))
    entries = height * width + 2 * pairs
    products = 2 + len(chebyshev_coefficients(2**EXP_TIMES - 2)) - 1
    far_beyond_any_cache = torch.ones(2**28)
    seconds, read_seconds = interleaved(
        partial(propagate_to_edge, scores(GRID, 3), boundary(*GRID)),
        far_beyond_any_cache.sum,
        repeats=15,
    )
    bandwidth = 4 * len(far_beyond_any_cache) / read_seconds
    least = products * entries * 4 / bandwidth
    return Row(
        what="random walk, grid 94×125, 3 maps, against memory bandwidth",
        goal="at most twice the time to read T's entries once a product",
        met=seconds <= 2 * least,
        seconds=seconds,
        note=f"{products} products × {entries:,} entries × 4 bytes at {bandwidth / 1e9:.1f} GB/s "
        f"are {1e3 * least:.1f} ms; {seconds / least:.2f} times that",
    )


def _large_row() -> Row:
    (seconds,) = interleaved(
        partial(propagate_to_edge, scores(LARGE_GRID, 3), boundary(*LARGE_GRID))
    )
    peak = _peak_mb_of(LARGE_GRID, 3)
    return Row(
        what="random walk, grid 256×512, 3 maps",
        goal="at most 2 s and 1 GB",
        met=seconds <= 2 and peak <= 1024,
        seconds=seconds,
        peak_mb=peak,
    )


def _exactness_row(size: tuple[int, int], *, repeats: int) -> Row:
    x, edge = scores(size, 3), boundary(*size)
    walked: dict[str, torch.Tensor] = {}  # kept: the dense walk takes minutes at full size

    def published() -> None:
        walked["published"] = published_walk(x, edge)

    def ours() -> None:
        walked["ours"] = propagate_to_edge(x, edge)

    published_seconds, seconds = interleaved(
        published,
        ours,
        repeats=repeats,
        warmup=0 if repeats == 1 else 1,
    )
    exact = exact_walk(x, edge)
    error, published_error = (
        float(((walked[way] - exact).abs().amax((1, 2, 3)) / exact.amax((1, 2, 3))).max())
        for way in ("ours", "published")
    )
    return Row(
        what=f"random walk, grid {size[0]}×{size[1]}, 3 maps, against dense",
        goal="within 1e-4 of a map's largest value",
        met=error <= 1e-4,
        published_seconds=published_seconds,
        seconds=seconds,
        error=error,
        note=f"of 256 dense float64 steps; the published way's error is {published_error:.0e}",
    )


def _peak_mb_of(size: tuple[int, int], maps: int) -> float:
    return float(in_fresh_process("benchmarks.bench_walk", *map(str, (*size, maps))))


def _peak_mb(height: int, width: int, maps: int) -> float:
    propagate_to_edge(torch.ones(1, 9, 9), torch.zeros(1, 9, 9))  # loads the libraries
    x, edge = scores((height, width), maps), boundary(height, width)
    with peak_memory() as peak:
        propagate_to_edge(x, edge)
    return peak["mb"]


if __name__ == "__main__":
    print(_peak_mb(*map(int, sys.argv[1:])))
