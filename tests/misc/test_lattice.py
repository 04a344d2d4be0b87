import math

import numpy as np
import pytest
import torch

from misc.lattice import appearance_kernel, smoothness_kernel

CPU = torch.device("cpu")


def simplex(point):
    """Find the vertices around a point and their weights, coordinate by coordinate."""
    d = len(point)
    scaled = [
        f * (d + 1) * math.sqrt(2 / 3) / math.sqrt((i + 1) * (i + 2)) for i, f in enumerate(point)
    ]
    elevated = [sum(scaled)]
    elevated += [sum(scaled[j:]) - j * scaled[j - 1] for j in range(1, d + 1)]
    rounded = [math.ceil(e / (d + 1) - 0.5) * (d + 1) for e in elevated]
    total = sum(rounded) // (d + 1)
    rest = [e - r for e, r in zip(elevated, rounded, strict=True)]
    ranks = []
    for j in range(d + 1):
        before = sum(rest[i] >= rest[j] for i in range(j))
        after = sum(rest[i] > rest[j] for i in range(j + 1, d + 1))
        ranks.append(before + after + total)
    for j in range(d + 1):
        step = (d + 1) * ((ranks[j] < 0) - (ranks[j] > d))
        rounded[j] += step
        ranks[j] += step
    weights = [0.0] * (d + 2)
    for j in range(d + 1):
        share = (elevated[j] - rounded[j]) / (d + 1)
        weights[d - ranks[j]] += share
        weights[d + 1 - ranks[j]] -= share
    weights[0] += 1 + weights[d + 1]
    return {
        tuple(rounded[j] + k - (d + 1) * (ranks[j] > d - k) for j in range(d)): weights[k]
        for k in range(d + 1)
    }


def filtered(simplices, values):
    """Splat, blur along each axis, slice, with a dictionary of vertices."""
    d = len(next(iter(simplices[0])))
    at = dict.fromkeys((key for one in simplices for key in one), 0.0)
    for one, value in zip(simplices, values, strict=True):
        for key, weight in one.items():
            at[key] += weight * value
    for axis in range(d + 1):
        step = [d if j == axis else -1 for j in range(d)]
        around = {
            key: at.get(tuple(k + s for k, s in zip(key, step, strict=True)), 0.0)
            + at.get(tuple(k - s for k, s in zip(key, step, strict=True)), 0.0)
            for key in at
        }
        at = {key: value + around[key] / 2 for key, value in at.items()}
    scale = 1 / (1 + 2.0**-d)
    return [scale * sum(weight * at[key] for key, weight in one.items()) for one in simplices]


def by_definition(points, values, weight):
    simplices = [simplex(point) for point in points]
    norm = 1 / np.sqrt(np.array(filtered(simplices, [1.0] * len(points))) + 1e-20)
    columns = [weight * norm * filtered(simplices, norm * column) for column in values.T]
    return np.stack(columns, axis=1)


def pixels_of(height, width):
    return [(y, x) for y in range(height) for x in range(width)]


@pytest.mark.parametrize("size", [(9, 11), (1, 1), (1, 13), (12, 1)])
@pytest.mark.parametrize("width", [1.0, 3.0, 4.7])
def test_smoothness_follows_the_definition(size, width):
    values = np.random.default_rng(0).random((math.prod(size), 2), dtype=np.float32)
    points = [(x / width, y / width) for y, x in pixels_of(*size)]
    kernel = smoothness_kernel(size, width=width, weight=3.0, device=CPU)
    expected = by_definition(points, values, 3.0)
    np.testing.assert_allclose(kernel(torch.as_tensor(values)), expected, atol=1e-5)


@pytest.mark.parametrize("colours", ["noise", "one colour", "ramp"])
@pytest.mark.parametrize("widths", [(50.0, 5.0), (4.0, 40.0), (67.0, 3.0)])
def test_appearance_follows_the_definition(colours, widths):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    if colours == "one colour":
        image[:] = 77
    elif colours == "ramp":
        image[:] = 7 * np.arange(9)[None, :, None]
    values = rng.random((72, 3), dtype=np.float32)
    points = [
        (x / widths[0], y / widths[0], *(float(v) / widths[1] for v in image[y, x]))
        for y, x in pixels_of(8, 9)
    ]
    kernel = appearance_kernel(
        torch.as_tensor(image), width=widths[0], colour=widths[1], weight=10.0
    )
    expected = by_definition(points, values, 10.0)
    np.testing.assert_allclose(kernel(torch.as_tensor(values)), expected, atol=1e-5)


def test_deviations_for_which_keys_would_not_be_exact_are_refused():
    with pytest.raises(ValueError, match="standard deviations are too small"):
        appearance_kernel(
            torch.zeros(9, 9, 3, dtype=torch.uint8), width=1e-4, colour=1e-4, weight=1
        )
