"""Centroids, clusters, detections and their files, for an image of 375×500 pixels."""

import os
import tempfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.harness import Row, interleaved
from misc.centroids import cluster_centroids, find_centroids
from misc.files.labels import load_instances, save_instances
from misc.instances import detect, upsample_scores

HEIGHT, WIDTH = 375, 500
GRID = (94, 125)


def published_centroids(displacement: np.ndarray, iterations: int = 300) -> np.ndarray:
    """Move every pixel every time with a plain NumPy loop."""
    _, height, width = displacement.shape
    y, x = np.indices((height, width)).astype(np.float32)
    for _ in range(iterations):
        top, left = np.floor(y).astype(int), np.floor(x).astype(int)
        bottom, right = np.ceil(y).astype(int), np.ceil(x).astype(int)
        down, across = y - top.astype(np.float32), x - left.astype(np.float32)
        dy, dx = (
            channel[top, left] * ((1 - down) * (1 - across))
            + channel[top, right] * ((1 - down) * across)
            + channel[bottom, left] * (down * (1 - across))
            + channel[bottom, right] * (down * across)
            for channel in displacement
        )
        y = np.clip(y + dy, 0, np.float32(height - 1))
        x = np.clip(x + dx, 0, np.float32(width - 1))
    return np.stack([np.rint(y), np.rint(x)]).astype(int)


def published_instances(displacement: np.ndarray) -> np.ndarray:
    """Look up each centroid's component of small displacement and renumber those in use."""
    centroids = published_centroids(displacement)
    small = np.linalg.norm(displacement, axis=0) < 2.5
    _, basins = cv2.connectedComponents(small.astype(np.uint8), connectivity=4)
    under = basins[centroids[0], centroids[1]]
    return np.unique(under, return_inverse=True)[1].reshape(under.shape)


def object_field(seed: int, objects: int = 3) -> np.ndarray:
    """Make a displacement field: objects point to their centres; drifting background, noise."""
    rng = np.random.default_rng(seed)
    height, width = GRID
    y, x = np.mgrid[:height, :width]
    field = 0.5 * _smooth_noise(rng, 6)
    for _ in range(objects):
        centre_y, centre_x = rng.uniform(0.2, 0.8, 2) * GRID
        radius_y, radius_x = rng.uniform(0.1, 0.3, 2) * GRID
        inside = ((y - centre_y) / radius_y) ** 2 + ((x - centre_x) / radius_x) ** 2 < 1
        pull = 0.8 * np.stack([centre_y - y, centre_x - x]) + 0.3 * _smooth_noise(rng, 2)
        field = np.where(inside, pull, field)
    return (field + rng.normal(0, 0.1, field.shape)).astype(np.float32)


def score_maps(seed: int, count: int) -> torch.Tensor:
    """Make propagated score maps (count, 1, h, w): one ragged object in each."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: GRID[0], : GRID[1]]
    maps = np.empty((count, 1, *GRID), dtype=np.float32)
    for number in range(count):
        centre_y, centre_x = rng.uniform(0.1, 0.9, 2) * GRID
        distance = (y - centre_y) ** 2 + (x - centre_x) ** 2
        maps[number, 0] = np.exp(-distance / rng.uniform(6, 25) ** 2)
        maps[number, 0] += 0.2 * _smooth_noise(rng, 4)[0]
    return torch.from_numpy(np.maximum(maps, 0))


def rows(*, full: bool = False) -> list[Row]:
    """Measure what follows the network and the walk in the synthesis of instance labels."""
    return [_centroid_row(seeds=range(8 if full else 3)), *_detection_rows()]


def _instances(displacement: np.ndarray) -> np.ndarray:
    return cluster_centroids(find_centroids(displacement), displacement)


def _centroid_row(seeds: range) -> Row:
    different, times = 0, []
    for seed in seeds:
        field = object_field(seed)
        different += int(np.count_nonzero(_instances(field) != published_instances(field)))
        times.append(interleaved(partial(published_instances, field), partial(_instances, field)))
    published_seconds, seconds = np.median(times, axis=0)
    return Row(
        what="centroids and clusters, 94×125",
        goal="at most 20 ms, the same instances",
        met=bool(seconds <= 0.020 and different == 0),
        published_seconds=float(published_seconds),
        seconds=float(seconds),
        error=float(different),
        note=f"error: pixels with another instance, over {len(seeds)} fields",
    )


def _detection_rows() -> list[Row]:
    propagated, keys, size = score_maps(0, 20), np.arange(4), (HEIGHT, WIDTH)
    detections = detect(upsample_scores(propagated, size), keys, 5)
    (seconds,) = interleaved(lambda: detect(upsample_scores(propagated, size), keys, 5))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.npz")
        (write_seconds,) = interleaved(lambda: save_instances(path, detections))
        bytes_written = os.path.getsize(path)
        loaded = load_instances(path)
    same = all(np.array_equal(loaded[name], detections[name]) for name in detections)
    found = f"{len(detections['score'])} detections"
    return [
        Row(
            what="detections out of 20 score maps, 375×500",
            goal="at most 40 ms",
            met=seconds <= 0.040,
            seconds=seconds,
            note=found,
        ),
        Row(
            what="file of an image's instances",
            goal="at most 10 KB, read back the same",
            met=bytes_written <= 10_000 and same,
            seconds=write_seconds,
            note=f"{bytes_written} bytes for {found}",
            extra={"bytes": bytes_written},
        ),
    ]


def _smooth_noise(rng: np.random.Generator, size: float) -> np.ndarray:
    channels = [cv2.GaussianBlur(rng.standard_normal(GRID), (0, 0), size) for _ in range(2)]
    return np.stack([channel / channel.std() for channel in channels])
