"""Pairs of neighbouring pixels, the paths between them, and the random walk.

Imports torch and numpy only, so that this one file can be dropped into another program.
"""

import math
import warnings
from functools import cache, cached_property, lru_cache, reduce

import numpy as np
import torch


@cache
def pair_offsets(radius: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets (dy, dx) of the pairs at a radius: half a disc, as pairs are symmetric.

    (0, x) for 0 < x < radius, then (y, x) row by row for 0 < y < radius, |x| < radius and
    x² + y² < radius². 34 offsets at radius 5, 152 at radius 10.
    """
    first = [(0, x) for x in range(1, radius)]
    rest = [
        (y, x)
        for y in range(1, radius)
        for x in range(-radius + 1, radius)
        if x * x + y * y < radius * radius
    ]
    return tuple(first + rest)


@cache
def path_pixels(dy: int, dx: int) -> tuple[tuple[int, int], ...]:
    """Return the pixels (y, x) of the path from (0, 0) to (dy, dx), both ends included.

    Every integer pixel of the bounding rectangle whose squared distance to the line is below 1.
    """
    length_squared = dy * dy + dx * dx
    return tuple(
        (y, x)
        for y in range(min(0, dy), max(0, dy) + 1)
        for x in range(min(0, dx), max(0, dx) + 1)
        if (dy * x - dx * y) ** 2 < length_squared
    )


@cache
def path_pieces(radius: int) -> dict[tuple[int, int], tuple[tuple[int, int, int, int], ...]]:
    """Return, for every offset, shorter paths whose union is its path, shortest first.

    A piece (dy, dx, row, column) is the path of the offset (dy, dx), its bounding rectangle moved
    to (row, column) inside the longer one's; the offset (0, 0) is a single pixel. Pieces may
    overlap: a maximum is unaffected. 152 offsets take 171 maxima at radius 10.
    """
    shapes = {(0, 0): frozenset({(0, 0)})}
    pieces: dict[tuple[int, int], tuple[tuple[int, int, int, int], ...]] = {}
    for dy, dx in sorted(pair_offsets(radius), key=lambda offset: offset[0] ** 2 + offset[1] ** 2):
        path = frozenset((y, x - min(0, dx)) for y, x in path_pixels(dy, dx))
        inside = {
            (a, b, row, column): moved
            for (a, b), shape in shapes.items()
            for row in range(dy - a + 1)
            for column in range(abs(dx) - abs(b) + 1)
            if (moved := frozenset((y + row, x + column) for y, x in shape)) <= path
        }
        chosen = []
        missing = path
        while missing:
            best = max(inside, key=lambda piece: len(inside[piece] & missing))
            chosen.append(best)
            missing -= inside[best]
        pieces[dy, dx] = tuple(chosen)
        shapes[dy, dx] = path
    return pieces


def path_maxima(boundary: torch.Tensor, radius: int) -> list[torch.Tensor]:
    """Compute the largest value on the path of every pair of pixels within a radius.

    boundary (..., H, W) of any ordered dtype. Returns one (..., H - radius + 1,
    W - 2 (radius - 1)) map per offset, in the order of pair_offsets, for the sources from which
    every offset stays in the grid: rows 0 to H - radius, columns radius - 1 to W - radius. The
    maps are empty where the grid is smaller than the radius. Exact and differentiable; a tie
    shares the gradient. A pair's affinity is 1 minus this maximum.
    """
    height, width = boundary.shape[-2:]
    rows = max(0, height - radius + 1)
    columns = max(0, width - 2 * (radius - 1))
    if rows == 0 or columns == 0:
        return [boundary[..., :rows, :columns] for _ in pair_offsets(radius)]
    # Every map holds all positions of its path in the grid, indexed by the rectangle's top left.
    maxima = {(0, 0): boundary}
    for (dy, dx), pieces in path_pieces(radius).items():
        parts = [
            maxima[a, b][..., row : row + height - dy, column : column + width - abs(dx)]
            for a, b, row, column in pieces
        ]
        maxima[dy, dx] = reduce(torch.maximum, parts)
    lefts = {(dy, dx): radius - 1 + min(0, dx) for dy, dx in pair_offsets(radius)}
    return [maxima[offset][..., :rows, left : left + columns] for offset, left in lefts.items()]


PathIndices = tuple[list[np.ndarray], np.ndarray, np.ndarray]


class PathIndex:
    """The pairs within a radius and the pixels on their paths, as index arrays.

    For programs that gather boundary values by index; path_maxima needs none. `radius_floor` is
    the reach, ceil(radius) - 1. `search_paths` groups the paths by their number of pixels, fewest
    first: int64 arrays (paths, pixels on the path, 2) of (y, x), the destination first and the
    source (0, 0) last. `search_dst` (pairs, 2) holds the destinations in that order. The large
    `path_indices`, `src_indices` and `dst_indices`, those of get_path_indices(default_size), are
    computed when they are first asked for.
    Raises ValueError for a radius below 2, which has no pairs.
    """

    def __init__(self, radius: int, default_size: tuple[int, int]) -> None:
        if radius < 2:
            raise ValueError(f"radius: found {radius}, accepted 2 or more")
        self.radius = radius
        self.radius_floor = math.ceil(radius) - 1
        self.default_size = default_size
        self.search_paths, self.search_dst = self.get_search_paths_dst(radius)

    def get_search_paths_dst(self, max_radius: int = 5) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the paths grouped by number of pixels, and their destinations, as above."""
        by_length: dict[int, list[list[tuple[int, int]]]] = {}
        for offset in pair_offsets(max_radius):
            path = sorted(path_pixels(*offset), key=lambda pixel: -abs(pixel[0]) - abs(pixel[1]))
            by_length.setdefault(len(path), []).append(path)
        paths = [np.array(by_length[length], dtype=np.int64) for length in sorted(by_length)]
        return paths, np.concatenate([group[:, 0] for group in paths])

    def get_path_indices(self, size: tuple[int, int]) -> PathIndices:
        """Return flat int64 indices, in a grid (h, w), of the paths from every source.

        Sources are the pixels from which every offset stays in the grid, row by row. Returns
        path_indices, a (paths, pixels on the path, sources) array per group of search_paths;
        src_indices (sources,); dst_indices (pairs, sources).
        """
        height, width = size
        rows = np.arange(max(0, height - self.radius_floor))
        columns = np.arange(self.radius_floor, max(self.radius_floor, width - self.radius_floor))
        sources = (rows[:, None] * width + columns).ravel()
        paths = [(group @ np.array([width, 1]))[..., None] + sources for group in self.search_paths]
        return paths, sources, np.concatenate([group[:, 0] for group in paths])

    @cached_property
    def _default_indices(self) -> PathIndices:
        return self.get_path_indices(self.default_size)

    path_indices = property(lambda self: self._default_indices[0])
    src_indices = property(lambda self: self._default_indices[1])
    dst_indices = property(lambda self: self._default_indices[2])


TAIL = 1e-7  # of the walk's Chebyshev coefficients, what may be left out; see _walk
LEAST_WEIGHT, LEAST_SCORE = 1e-20, 1e-10  # far below what float32 resolves beside the others, and
# with a product far above its denormal numbers, on which a CPU is ten times slower
MAPS_AT_ONCE = 32  # bounds the memory, and is the width at which sparse products are fastest


@torch.no_grad()
def propagate_to_edge(
    x: torch.Tensor, edge: torch.Tensor, radius: int = 5, beta: float = 10, exp_times: int = 8
) -> torch.Tensor:
    """Propagate scores by a random walk that boundaries stop (paper, section 5.2).

    x: floating-point scores, (K, h, w) or (K, n, h, w). edge: boundary probability in [0, 1],
    (1, h, w). A is symmetric with A_ii = 1 and A_ij = (affinity of i and j)^beta for pairs within
    the radius, T_ij = A_ij / Σ_i A_ij, and the result (K·n, 1, h, w) is x·(1 - edge)·T^t with
    t = 2^exp_times, on the device and in the dtype of x. Computed in float32 (float64 where x is),
    under autocast too; no gradient flows. Within 1e-4 of a map's largest value of the exact walk,
    mostly within 1e-5.
    Raises ValueError for other shapes and for settings out of range.
    """
    _check_walk_arguments(x, edge, radius, beta, exp_times)
    if x.numel() == 0:
        return x.flatten(0, -3).unsqueeze(1)
    # Sparse products exist on the CPU and CUDA; other accelerators share the CPU's memory.
    device = x.device if x.device.type in ("cpu", "cuda") else torch.device("cpu")
    dtype = torch.promote_types(x.dtype, torch.float32)
    # Autocast would cast the products to 16 bits, for which a CPU has no sparse ones.
    with torch.autocast(device.type, enabled=False):
        boundary = edge[0].to(device).double()
        scores = x.flatten(0, -3).to(device, dtype) * (1 - boundary).to(dtype)
        transition = _transition(*_walk_weights(boundary, radius=radius, beta=beta, dtype=dtype))
        walked = [
            _walk(part.flatten(1).T, transition, steps=2**exp_times)
            for part in scores.split(MAPS_AT_ONCE)
        ]
        return torch.cat(walked, 1).T.reshape(-1, 1, *x.shape[-2:]).to(x.device, x.dtype)


def _check_walk_arguments(
    x: torch.Tensor, edge: torch.Tensor, radius: int, beta: float, exp_times: int
) -> None:
    """Raise ValueError for what propagate_to_edge does not accept."""
    if x.dim() not in (3, 4) or not x.is_floating_point():
        found = f"{x.dtype} {tuple(x.shape)}"
        raise ValueError(f"x: found {found}, accepted floating-point (K, h, w) or (K, n, h, w)")
    if edge.shape != (1, *x.shape[-2:]):
        accepted = f"{(1, *x.shape[-2:])}, the size of x"
        raise ValueError(f"edge: found {tuple(edge.shape)}, accepted {accepted}")
    if radius < 1 or beta < 0 or exp_times < 0:
        found = f"radius {radius}, beta {beta}, exp_times {exp_times}"
        raise ValueError(f"found {found}, accepted a radius from 1, beta and exp_times from 0")


def _walk_weights(
    boundary: torch.Tensor, *, radius: int, beta: float, dtype: torch.dtype
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Compute the columns of A: each pixel's (h, w) affinity with each of its neighbours.

    Returns weights (entries, h·w) and, per entry, the neighbour's shift in the flat grid: the
    offsets of pair_offsets, their negatives, and the pixel itself. 0 where it is off the grid.
    """
    reach = radius - 1
    # a^β = (1 - max b)^β = min (1 - b)^β over the path, so one power per pixel is enough.
    passable = ((1 - boundary) ** beta).to(dtype)
    passable = torch.nn.functional.threshold(passable, LEAST_WEIGHT, 0)
    padded = torch.nn.functional.pad(passable, (reach, reach, 0, reach))
    forwards = [dy * boundary.shape[1] + dx for dy, dx in pair_offsets(radius)]
    shifts = (*forwards, *(-shift for shift in forwards), 0)
    weights = passable.new_ones(len(shifts), boundary.numel())
    for i, (shift, maximum) in enumerate(zip(forwards, path_maxima(-padded, radius), strict=True)):
        weights[i] = -maximum.flatten()
        weights[len(forwards) + i] = weights[i].roll(shift)  # what wraps around is 0
    return weights, shifts


def _transition(weights: torch.Tensor, shifts: tuple[int, ...]) -> torch.Tensor:
    """Build T transposed, (h·w, h·w) sparse CSR, from _walk_weights' result, in place.

    The diagonal comes last in a row, and D is summed in float64: beside it, many small equal
    weights would all round the same way, again at every step.
    """
    pixels = weights.shape[1]
    degree = weights.sum(0, dtype=torch.float64)
    values = weights.mul_((1 / degree).to(weights.dtype)).T.flatten()
    entries = (*_row_entries(pixels, shifts, weights.device), values)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse (CSR tensor support|invariant checks)")
        return torch.sparse_csr_tensor(*entries, (pixels, pixels), check_invariants=False)


@lru_cache(maxsize=2)  # images of a data set share few sizes
def _row_entries(
    pixels: int, shifts: tuple[int, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where each row of T starts (h·w + 1,) and its entries' columns (entries · h·w,).

    Every row has all its entries, also those off the grid: then no GPU needs to count them.
    int32, as sparse products use it: they would convert int64 each time.
    """
    rows = torch.arange(pixels, dtype=torch.int32, device=device)
    steps = torch.tensor(shifts, dtype=torch.int32, device=device)
    columns = (rows[:, None] + steps).clamp_(0, pixels - 1).flatten()
    starts = torch.arange(pixels + 1, dtype=torch.int32, device=device) * len(shifts)
    return starts, columns


def _walk(scores: torch.Tensor, transition: torch.Tensor, *, steps: int) -> torch.Tensor:
    """Compute the scores (pixels, maps) after a number of steps.

    The first two steps are exact: they spread a lone pixel's score, whose error would be large
    against its small result. The rest is a Chebyshev series in T, which has the eigenvalues of the
    symmetric D^-1/2 A D^-1/2, all in [-1, 1]: z^t is off by at most TAIL on them, and so pixel j of
    the result by at most TAIL · ‖x·T²·D^1/2‖ · D_j^-1/2, and by rounding.
    """
    maps = scores.shape[1]
    # A constant is a fixed point of the walk: added here and subtracted at the end, it keeps
    # scores far from any source out of the denormal range.
    constant = scores.abs().amax(0) * LEAST_SCORE
    now = scores.new_zeros(len(scores), -(-maps // 8) * 8)  # fastest in multiples of eight
    now[:, :maps] = scores + constant
    plain_steps = min(2, steps)
    for _ in range(plain_steps):
        now = transition @ now
    first, *others = chebyshev_coefficients(steps - plain_steps)
    total = first * now
    previous = torch.zeros_like(now)
    for k, coefficient in enumerate(others, start=1):
        # T_1 = T·T_0, then T_k+1 = 2 T·T_k - T_k-1, written over T_k-1.
        torch.addmm(previous, transition, now, beta=-1, alpha=1 if k == 1 else 2, out=previous)
        previous, now = now, previous
        if coefficient:
            total.add_(now, alpha=coefficient)
    return total[:, :maps] - constant


def chebyshev_coefficients(power: int, tail: float = TAIL) -> list[float]:
    """Compute the coefficients c_k of z^power in Chebyshev polynomials T_k(z), cut at a tail.

    z^t = Σ c_k T_k(z), where c_k is the probability that heads and tails differ by k in t fair
    tosses: 0 for odd t - k, and summing to 1. As |T_k| ≤ 1 on [-1, 1], leaving out the last
    coefficients whose sum is at most `tail` changes z^t by at most `tail` there.
    """
    parity = power % 2
    # Hoeffding: the coefficients beyond 10 √t sum to less than 1e-21.
    k = np.arange(parity, min(power, 10 * math.isqrt(power) + 10) + 1, 2)
    ratios = (power - k[:-1]) / (power + k[:-1] + 2)
    sizes = np.concatenate([[1.0], ratios]).cumprod()
    if parity == 0:
        sizes[0] /= 2  # a difference of 0 has no opposite
    sizes /= sizes.sum()
    kept = int((sizes[::-1].cumsum()[::-1] > tail).sum())
    coefficients = np.zeros(2 * kept - 1 + parity)
    coefficients[parity::2] = sizes[:kept]
    return coefficients.tolist()
