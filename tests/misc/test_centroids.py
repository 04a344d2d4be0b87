import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from misc.centroids import cluster_centroids, find_centroids


def naive_centroids(displacement, iterations=300, dtype=np.float32):
    """Move every pixel every time, as METHOD.md has it: the sum of the four corners."""
    _, height, width = displacement.shape
    field = displacement.astype(dtype)
    y, x = np.indices((height, width)).astype(dtype)
    for _ in range(iterations):
        rows, columns = np.floor(y).astype(int), np.floor(x).astype(int)
        next_rows, next_columns = np.ceil(y).astype(int), np.ceil(x).astype(int)
        down, right = y - rows.astype(dtype), x - columns.astype(dtype)
        step = (
            field[:, rows, columns] * ((1 - down) * (1 - right))
            + field[:, rows, next_columns] * ((1 - down) * right)
            + field[:, next_rows, columns] * (down * (1 - right))
            + field[:, next_rows, next_columns] * (down * right)
        )
        y = np.clip(y + step[0], 0, dtype(height - 1))
        x = np.clip(x + step[1], 0, dtype(width - 1))
    return np.stack([np.rint(y), np.rint(x)]).astype(int)


def naive_clusters(centroids, displacement, threshold=2.5):
    small = np.linalg.norm(displacement, axis=0) < threshold
    _, basins = cv2.connectedComponents(small.astype(np.uint8), connectivity=4)
    under = basins[tuple(centroids)]
    return np.unique(under, return_inverse=True)[1].reshape(under.shape)


def smooth_noise(rng, height, width, size):
    noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), size)
    return noise / noise.std()


def object_field(height, width, seed, count=3, noise=0.3):
    """Round objects whose pixels point to their centres, on a ground that drifts; all noisy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    field = np.stack([0.5 * smooth_noise(rng, height, width, 6) for _ in range(2)])
    for _ in range(count):
        centre = rng.uniform(0.2, 0.8, 2) * (height, width)
        radius = rng.uniform(0.1, 0.3, 2) * (height, width)
        inside = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1
        pull = 0.8 * np.stack([centre[0] - y, centre[1] - x])
        pull += [noise * smooth_noise(rng, height, width, 2) for _ in range(2)]
        field = np.where(inside, pull, field)
    return (field + rng.normal(0, 0.1, field.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_equals_moving_every_pixel_every_time(seed):
    field = object_field(47, 62, seed)
    centroids = find_centroids(field)
    np.testing.assert_array_equal(centroids, naive_centroids(field))
    assert centroids.dtype == np.int64


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    size=st.sampled_from([0.0, 0.3, 1.0, 4.0, 100.0]),
    whole=st.booleans(),
)
def test_any_field_equals_moving_every_pixel_every_time(seed, height, width, size, whole):
    field = np.random.default_rng(seed).normal(0, size, (2, height, width)).astype(np.float32)
    # Whole displacements keep points on the pixels, and on cycles of many lengths.
    field = np.rint(field) if whole else field
    for iterations in (11, 60):
        expected = naive_centroids(field, iterations)
        np.testing.assert_array_equal(find_centroids(field, iterations), expected)


def test_a_cycle_that_does_not_divide_the_block_ends_where_it_should():
    # Five pixels in a ring: each points to the next one.
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1)]
    field = np.zeros((2, 2, 3), dtype=np.float32)
    for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
        field[:, here[0], here[1]] = np.subtract(there, here)
    for iterations in (300, 301, 302):
        centroids = find_centroids(field, iterations)
        for place, (row, column) in enumerate(ring):
            expected = ring[(place + iterations) % 5]
            assert tuple(centroids[:, row, column]) == expected


@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_the_basins_under_the_centroids_renumbered(seed):
    field = object_field(47, 62, seed) * (1 + seed)
    centroids = find_centroids(field)
    clusters = cluster_centroids(centroids, field)
    np.testing.assert_array_equal(clusters, naive_clusters(centroids, field))
    assert clusters.dtype == np.int32
    assert np.unique(clusters).tolist() == list(range(clusters.max() + 1))


def test_pixels_whose_centroid_is_in_no_basin_share_the_first_id():
    field = np.zeros((2, 1, 5), dtype=np.float32)
    field[0, 0] = [9, 0, 9, 0, 9]
    centroids = np.array([[[0, 0, 0, 0, 0]], [[0, 1, 2, 3, 3]]])
    assert cluster_centroids(centroids, field).tolist() == [[0, 1, 0, 2, 2]]
    # A basin under no centroid uses no id, and without outsiders the basins begin at 0.
    centroids[1, 0] = 3
    assert cluster_centroids(centroids, field).tolist() == [[0] * 5]


def test_the_threshold_is_on_the_length_and_not_reached_by_it():
    field = np.array([[[1.5, 1.5, 2.4]], [[2.0, 1.9, 2.4]]], dtype=np.float32)
    here = np.indices((1, 3))
    # Lengths 2.5, 2.42 and 3.39: only the middle one is small.
    assert cluster_centroids(here, field).tolist() == [[0, 1, 0]]
    assert cluster_centroids(here, field, threshold=2.6).tolist() == [[1, 1, 0]]


def test_refuses_fields_of_a_wrong_shape_or_not_finite():
    with pytest.raises(ValueError, match=r"is \(2, h, w\), not \(3, 4, 5\)"):
        find_centroids(np.zeros((3, 4, 5), np.float32))
    field = np.zeros((2, 4, 5), np.float32)
    field[0, 1, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        find_centroids(field)
