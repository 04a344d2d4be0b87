"""Gaussian filtering of many features at once on the permutohedral lattice.

The lattice is that of Adams, Baek and Davis (2010): a pixel is splatted onto the d + 1 vertices of
the simplex around it, the vertices are blurred along d + 1 axes, and the pixel is sliced out
again. Vertices come from sorting integer keys; splat, blur and slice are gathers with weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Pixels whose simplices are found at once: their intermediate results stay in the cache.
_PIXELS = 1 << 15
# A kernel of more pixels is not cached: it takes 48 bytes per pixel.
_KEPT_PIXELS = 1 << 19


@dataclass(frozen=True)
class Kernel:
    """A Gaussian filter over N pixels, symmetrically normalised and weighted.

    V vertices are numbered by the remainder of their coordinates, then by their key; one more
    represents all absent ones and stays 0.

    Attributes:
        pixels: int ((d+1)·N,), the pixels of all vertices, vertex by vertex.
        splat_weights: float32 ((d+1)·N,), what each of them adds to its vertex.
        starts: int (V + 1,), where a vertex's pixels begin.
        vertices: int (N, d+1), the vertices of each pixel.
        slice_weights: float32 (N, d+1), what each of them adds to the pixel.
        neighbours: int (d+1, V + 1, 2), the two neighbours of each vertex along each axis.
    """

    pixels: Tensor
    splat_weights: Tensor
    starts: Tensor
    vertices: Tensor
    slice_weights: Tensor
    neighbours: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Filter the columns of float32 (N, C)."""
        at_vertices = F.embedding_bag(
            self.pixels, values, self.starts, mode="sum", per_sample_weights=self.splat_weights
        )
        for neighbours in self.neighbours:
            around = F.embedding_bag(neighbours, at_vertices, mode="sum")
            at_vertices.add_(around, alpha=0.5)
        return F.embedding_bag(
            self.vertices, at_vertices, mode="sum", per_sample_weights=self.slice_weights
        )


def appearance_kernel(image: Tensor, *, width: float, colour: float, weight: float) -> Kernel:
    """Build the kernel over position and colour of an image.

    Args:
        image: uint8 RGB (H, W, 3), on the device that filters.
        width: standard deviation in pixels.
        colour: standard deviation in grey levels.
        weight: what the filtered values are multiplied by.
    """
    size = (image.shape[0], image.shape[1])
    colours = image.permute(2, 0, 1).flatten(1).to(torch.float32) / colour
    features = torch.cat([_positions(size, width, device=image.device), colours])
    return _kernel(features, [*_extent(size, width), *[255 / colour] * 3], weight)


def smoothness_kernel(
    size: tuple[int, int], *, width: float, weight: float, device: torch.device
) -> Kernel:
    """Build the kernel over position, cached for the next image of the same size.

    Args:
        size: (H, W) of the image.
        width: standard deviation in pixels.
        weight: what the filtered values are multiplied by.
        device: the device that filters.
    """
    build = _kept_smoothness if math.prod(size) <= _KEPT_PIXELS else _smoothness
    return build(size, width, weight, device)


def _smoothness(size: tuple[int, int], width: float, weight: float, device: torch.device) -> Kernel:
    return _kernel(_positions(size, width, device=device), _extent(size, width), weight)


_kept_smoothness = lru_cache(maxsize=4)(_smoothness)


def _positions(size: tuple[int, int], deviation: float, *, device: torch.device) -> Tensor:
    """Compute every pixel's x and y in standard deviations, float32 (2, H·W)."""
    y, x = (torch.arange(side, dtype=torch.float32, device=device) / deviation for side in size)
    return torch.stack([x.expand(size), y[:, None].expand(size)]).flatten(1)


def _extent(size: tuple[int, int], deviation: float) -> list[float]:
    return [(size[1] - 1) / deviation, (size[0] - 1) / deviation]


def _kernel(features: Tensor, highest: Sequence[float], weight: float) -> Kernel:
    """Build the kernel of features (d, N) between 0 and `highest` (d,)."""
    d, n = features.shape
    device = features.device
    index = torch.int32 if (d + 1) * n < 2**31 else torch.int64
    packing = _Packing.of(highest)
    slice_weights, keys = _all_simplices(features, packing)

    vertices = torch.empty((n, d + 1), dtype=index, device=device)
    pixels = torch.empty((d + 1, n), dtype=index, device=device)
    splat_weights = torch.empty((d + 1, n), device=device)
    starts, levels, count = [], [], 0
    # Every pixel has one vertex of each remainder, so that each can be numbered by itself.
    for k in range(d + 1):
        found, order = _sorted_with_order(keys.pop(0))
        new = torch.ones(n, dtype=torch.bool, device=device)
        torch.ne(found[1:], found[:-1], out=new[1:])
        first = new.nonzero()[:, 0]
        pixels[k] = order
        splat_weights[k] = slice_weights[:, k][order]
        vertices[:, k].index_copy_(0, order, new.cumsum(0, dtype=index).add_(count - 1))
        starts.append(first.add_(k * n).to(index))
        levels.append(found[first - k * n])
        count += len(first)
    starts.append(torch.full((1,), (d + 1) * n, dtype=index, device=device))
    kernel = Kernel(
        pixels=pixels.flatten(),
        splat_weights=splat_weights.flatten(),
        starts=torch.cat(starts),
        vertices=vertices,
        slice_weights=slice_weights,
        neighbours=_neighbours(levels, packing.strides, index),
    )
    _normalise(kernel, weight)
    return kernel


def _normalise(kernel: Kernel, weight: float) -> None:
    """Normalise K to weight · n · K · n with n = 1 / √(K·1), in place in its weights."""
    n, corners = kernel.vertices.shape
    kernel.slice_weights.mul_(1 / (1 + 2.0 ** (1 - corners)))
    ones = torch.ones((n, 1), device=kernel.vertices.device)
    norm = kernel(ones).add_(1e-20).rsqrt_()
    kernel.slice_weights.mul_(norm).mul_(weight)
    # An index of another dtype than int64 would be copied.
    for pixels, weights in zip(
        kernel.pixels.view(corners, n), kernel.splat_weights.view(corners, n), strict=True
    ):
        weights.mul_(norm[:, 0][pixels.to(torch.int64)])


@dataclass(frozen=True)
class _Packing:
    """How a vertex's coordinates, each divided by d + 1, are packed into one integer.

    Vertices of one remainder differ in the quotients alone, which lie in ranges known
    beforehand: their mixed-radix number is exact.
    """

    strides: tuple[int, ...]
    lowest: tuple[int, ...]

    @classmethod
    def of(cls, highest: Sequence[float]) -> "_Packing":
        d = len(highest)
        scaled = [high * scale for high, scale in zip(highest, _scales(d), strict=True)]
        lowest, sizes = [], []
        for j in range(d):
            # Three more at both ends: rounding, the vertices of a simplex, their neighbours.
            low = math.floor(-j * scaled[j - 1] / (d + 1)) - 3
            high = math.ceil(sum(scaled[j:]) / (d + 1)) + 3
            lowest.append(low)
            sizes.append(high - low + 1)
        if math.prod(sizes) >= 2**63:
            raise ValueError(
                "the CRF's standard deviations are too small for an image of this size; "
                "take larger ones or a smaller image"
            )
        # The last coordinate follows from the others and is not packed.
        strides = [math.prod(sizes[j + 1 :]) for j in range(d)]
        return cls(strides=(*strides, 0), lowest=tuple(lowest))


def _scales(d: int) -> list[float]:
    return [(d + 1) * math.sqrt(2 / 3) / math.sqrt((i + 1) * (i + 2)) for i in range(d)]


def _all_simplices(features: Tensor, packing: _Packing) -> tuple[Tensor, list[Tensor]]:
    """Find the simplices of all pixels: weights (N, d+1), and d+1 times keys (N,)."""
    d, n = features.shape
    weights = torch.empty((n, d + 1), device=features.device)
    keys = [torch.empty(n, dtype=torch.int64, device=features.device) for _ in range(d + 1)]
    for first in range(0, n, _PIXELS):
        part = slice(first, first + _PIXELS)
        some_weights, some_keys = _simplices(features[:, part], packing)
        weights[part] = some_weights.T
        for to, some in zip(keys, some_keys, strict=True):
            to[part] = some
    return weights, keys


def _simplices(features: Tensor, packing: _Packing) -> tuple[Tensor, Tensor]:
    """Find the simplex around each pixel: its barycentric weights and its vertices' keys.

    Returns:
        float32 (d+1, N) and int64 (d+1, N); the vertex of remainder k is at k.
    """
    d, n = features.shape
    quotients, offsets, ranks = _rounded(_elevated(features))
    order = ranks.to(torch.int64)
    falling = torch.empty_like(offsets).scatter_(0, order, offsets)
    weights = torch.empty_like(offsets)
    torch.sub(falling[:-1].flip(0), falling[1:].flip(0), out=weights[1:])
    torch.add(falling[d], 1 - falling[0], out=weights[0])

    strides = torch.tensor(packing.strides, device=features.device)[:, None]
    lowest = torch.tensor(packing.lowest, device=features.device)[:, None]
    steps = torch.empty_like(order).scatter_(0, order, strides.expand(-1, n))
    keys = torch.empty_like(order)
    keys[0] = ((quotients[:d].to(torch.int64) - lowest) * strides[:d]).sum(0)
    for k in range(1, d + 1):
        torch.sub(keys[k - 1], steps[d + 1 - k], out=keys[k])
    return weights, keys


def _elevated(features: Tensor) -> Tensor:
    """Map features (d, N) onto the hyperplane of d + 1 coordinates whose sum is 0."""
    d, n = features.shape
    elevated = torch.empty((d + 1, n), device=features.device)
    elevated[0] = 0
    for j in range(d, 0, -1):
        scaled = features[j - 1] * _scales(d)[j - 1]
        torch.sub(elevated[0], scaled, alpha=j, out=elevated[j])
        elevated[0] += scaled
    return elevated


def _rounded(elevated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the vertex of remainder 0 nearest to each point (d+1, N).

    Returns:
        its coordinates divided by d + 1, the point's offsets from them in the same unit, and the
        offsets' ranks, int8, 0 for the largest; of equal ones the first has the smaller rank.
    """
    corners = len(elevated)
    divided = elevated * (1 / corners)
    up, down = divided.ceil(), divided.floor()
    nearer_up = up * corners - elevated < elevated - down * corners
    quotients = torch.where(nearer_up, up, down)
    offsets = elevated - quotients * corners
    ranks = torch.arange(corners, dtype=torch.int8, device=elevated.device)
    ranks = ranks[:, None].repeat(1, elevated.shape[1])
    for i in range(corners - 1):
        larger = (offsets[i + 1 :] > offsets[i]).view(torch.int8)
        ranks[i + 1 :] -= larger
        ranks[i] += larger.sum(0, dtype=torch.int8)
    # The coordinates of a vertex sum to 0: those that were rounded furthest are moved back.
    ranks += quotients.sum(0).to(torch.int8)
    back = (ranks < 0).view(torch.int8) - (ranks >= corners).view(torch.int8)
    ranks += corners * back
    quotients += back
    return quotients, offsets.mul_(1 / corners).sub_(back), ranks


def _sorted_with_order(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Sort int64 keys (N,), which may be overwritten, and return them with the permutation."""
    bits = (len(keys) - 1).bit_length()
    if int(keys.max()).bit_length() + bits > 63:
        return torch.sort(keys, stable=True)
    # Sorting key and index packed in one integer is much faster than an argsort.
    keys <<= bits
    keys |= torch.arange(len(keys), device=keys.device)
    if keys.device.type == "cpu":
        keys.numpy().sort()  # torch's takes five times as long
    else:
        keys = keys.sort()[0]
    return keys >> bits, keys.bitwise_and_((1 << bits) - 1)


def _neighbours(levels: Sequence[Tensor], strides: Sequence[int], index: torch.dtype) -> Tensor:
    """Find each vertex's two neighbours along each axis; the sorted keys are given by remainder.

    Along axis j a vertex's neighbour has every coordinate less 1, but coordinate j plus d: the
    remainder before its own, and in the quotient of j one more.
    """
    offsets = list(accumulate([len(level) for level in levels], initial=0))
    count, device = offsets[-1], levels[0].device
    shape = (len(levels), count + 1, 2)
    neighbours = torch.full(shape, count, dtype=index, device=device)
    for k, level in enumerate(levels):
        before = levels[k - 1]
        # Before remainder 0 comes d, with every quotient one less.
        borrowed = 0 if k else sum(strides)
        for j, stride in enumerate(strides):
            wanted = level + (stride - borrowed)
            place = _search(before, wanted).clamp_(max=len(before) - 1)
            there = (before[place] == wanted).nonzero()[:, 0]
            place = place[there] + offsets[k - 1 if k else len(levels) - 1]
            there += offsets[k]
            neighbours[j, there, 0] = place.to(index)
            neighbours[j, place, 1] = there.to(index)
    return neighbours


def _search(keys: Tensor, wanted: Tensor) -> Tensor:
    if keys.device.type == "cpu":
        # Numpy's search exploits that the queries are sorted.
        place = np.searchsorted(keys.numpy(), wanted.numpy())
        return torch.as_tensor(place, device=keys.device)
    return torch.searchsorted(keys, wanted)
