"""Dense CRFs and the relation labels made with them, beside the package pydensecrf.

The environment variable PHOTOGRAPHS may name a folder of images, which are then compared too.
"""

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.harness import Row, in_fresh_process, interleaved, peak_memory
from demo.scene import draw_scene
from misc.crf import BACKENDS, crf_inference_labels
from misc.relation import relation_label
from misc.run.workers import run_images

HEIGHT, WIDTH = 375, 500
KEYS = np.array([3, 14])


@lru_cache(maxsize=32)
def example(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make an image (H, W, 3) with two objects and their attention maps (2, H, W).

    The image's spectrum falls as one over the frequency, as that of photographs does: on flat
    or on white-noise images the lattice would be of another size.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shared = 0.9 * _natural_noise(rng)
    image = np.stack([shared + 0.3 * _natural_noise(rng) for _ in range(3)], axis=-1)
    maps = []
    for _ in KEYS:
        centre_y, centre_x = rng.uniform(0.3, 0.7, 2) * (HEIGHT, WIDTH)
        distance = ((y - centre_y) / 90) ** 2 + ((x - centre_x) / 120) ** 2
        image[distance < 1] += rng.uniform(-1, 1, 3)
        maps.append(np.exp(-1.5 * distance) + 0.05 * _natural_noise(rng))
    attention = np.clip(np.stack(maps), 0, 1).astype(np.float32)
    return (110 + 45 * image).clip(0, 255).astype(np.uint8), attention


def published_relation_label(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """Refine the two maps, each with a lattice of its own."""
    refined = []
    for threshold in (0.30, 0.05):
        padded = np.pad(attention, ((1, 0), (0, 0), (0, 0)), constant_values=np.float32(threshold))
        refined += crf_inference_labels(
            image, [padded.argmax(axis=0)], num_labels=len(attention) + 1
        )
    foreground, background = refined
    label = np.concatenate([[255], KEYS + 1])[foreground]
    label[(foreground == 0) & (background == 0)] = 0
    return label.astype(np.uint8)


def rows(*, full: bool = False) -> list[Row]:
    """Measure CRFs and relation labels of images of 375×500 pixels."""
    found = [_lattice_row(images=4 if full else 1), _worker_row(images=24 if full else 6)]
    if importlib.util.find_spec("pydensecrf") is None:
        return found
    labels = (2, 5, 21, 81) if full else (2, 5)
    found += [_equal_row(kind, images, labels) for kind, images in _images(full)]
    found += [_backend_row(number) for number in labels]
    found += [_backends_with_workers_row(images=24 if full else 6)]
    return found + [_memory_row(number) for number in labels]


def label_maps(num_labels: int) -> list[np.ndarray]:
    """Make two label maps (H, W) of blocks, in which a CRF changes much."""
    rng = np.random.default_rng(num_labels)
    blocks = rng.integers(0, num_labels, (HEIGHT // 25, WIDTH // 25))
    one = np.kron(blocks, np.ones((25, 25), int))
    return [one, np.roll(one, 7, axis=1)]


def _images(full: bool) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield the kinds of images that CRFs are compared on."""
    rng = np.random.default_rng(0)
    number = 3 if full else 1
    yield "of natural spectrum", [example(seed)[0] for seed in range(number)]
    yield "of the demo", [_demo_image(seed) for seed in range(number)]
    yield "noise", [rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)]
    yield "one colour", [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)]
    if folder := os.environ.get("PHOTOGRAPHS"):
        paths = sorted(Path(folder).iterdir())[: 8 if full else 2]
        yield "photographs", [_opened(path) for path in paths]


def _opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB").resize((WIDTH, HEIGHT)))


def _equal_row(kind: str, images: list[np.ndarray], labels: tuple[int, ...]) -> Row:
    worst = max(_different(image, number) for image in images for number in labels)
    return Row(
        what=f"CRF, {len(images)} images ({kind}), {', '.join(map(str, labels))} labels",
        goal="≥ 99.9 % of the pixels as pydensecrf's",
        met=worst <= 1e-3,
        error=worst,
        note="error: share of pixels with another label, in the worst image",
    )


def _different(image: np.ndarray, num_labels: int) -> float:
    maps = label_maps(num_labels)
    ours, theirs = (
        crf_inference_labels(image, maps, num_labels=num_labels, backend=backend)
        for backend in BACKENDS
    )
    return float(np.mean(np.not_equal(ours, theirs)))


def _backend_row(num_labels: int) -> Row:
    """Measure side by side, in one process, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ours, theirs = (
        partial(
            crf_inference_labels,
            example(0)[0],
            label_maps(num_labels),
            num_labels=num_labels,
            backend=backend,
        )
        for backend in BACKENDS
    )
    seconds, published_seconds = interleaved(ours, theirs)
    torch.set_num_threads(threads)
    return Row(
        what=f"CRF of an image's two maps, {num_labels} labels, one thread",
        goal="≤ 1.0 × pydensecrf's time",
        met=seconds <= published_seconds,
        published_seconds=published_seconds,
        seconds=seconds,
    )


def _backends_with_workers_row(images: int) -> Row:
    """Measure each twice, in turn, and take the better time."""
    runs = [[_worker_seconds(2, images, crf) for crf in BACKENDS] for _ in range(2)]
    seconds, published_seconds = (min(times) for times in zip(*runs, strict=True))
    return Row(
        what=f"relation labels of {images} images, two worker processes, each CRF",
        goal="≤ 1.0 × pydensecrf's time",
        met=seconds <= published_seconds,
        published_seconds=published_seconds,
        seconds=seconds,
    )


def _memory_row(num_labels: int) -> Row:
    mb, published_mb = (
        float(in_fresh_process("benchmarks.bench_crf", crf, str(num_labels))) for crf in BACKENDS
    )
    return Row(
        what=f"CRF of an image's two maps, {num_labels} labels, peak memory",
        goal="≤ 2 × pydensecrf's",
        met=mb <= 2 * published_mb,
        peak_mb=mb,
        note=f"pydensecrf's: {published_mb:.0f} MB",
    )


def _lattice_row(images: int) -> Row:
    examples = [example(seed) for seed in range(images)]
    different = sum(
        int(np.count_nonzero(relation_label(*one, KEYS) != published_relation_label(*one)))
        for one in examples
    )
    published_seconds, seconds = interleaved(
        lambda: published_relation_label(*examples[0]),
        lambda: relation_label(*examples[0], KEYS),
        repeats=5,
        warmup=0,
    )
    return Row(
        what="relation label of an image, 375×500",
        goal="one lattice, the same labels",
        met=different == 0 and seconds < published_seconds,
        published_seconds=published_seconds,
        seconds=seconds,
        error=float(different),
        note=f"error: pixels with another label, over {images} images",
    )


def _worker_row(images: int) -> Row:
    seconds = {workers: _worker_seconds(workers, images) for workers in (1, 2)}
    ratio = seconds[1] / seconds[2]
    return Row(
        what=f"relation labels of {images} images, two worker processes",
        goal="≥ 1.8 times the images of one worker",
        met=ratio >= 1.8,
        published_seconds=seconds[1],
        seconds=seconds[2],
        note=f"{images / seconds[1]:.2f} images/s with one, {images / seconds[2]:.2f} with two",
        seconds_an_image={"cam_to_ir_label": seconds[2] / images},
    )


def _worker_seconds(workers: int, images: int, crf: str = "torch") -> float:
    ids = [str(seed) for seed in range(images)]
    for image_id in ids:
        example(int(image_id))  # the forked workers inherit the cache
    start = time.perf_counter()
    run_images(ids, partial(_label_example, crf), num_workers=workers)
    return time.perf_counter() - start


def _label_example(crf: str, image_id: str) -> int:
    return int(relation_label(*example(int(image_id)), KEYS, crf=crf).sum())


def _natural_noise(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) / frequency
    texture = np.fft.irfft2(noise, s=(HEIGHT, WIDTH))
    return texture / texture.std()


def _demo_image(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw_scene("bird", size=(HEIGHT, WIDTH), rng=rng).image


def _print_peak(backend: str, num_labels: str) -> None:
    image, maps = example(0)[0], label_maps(int(num_labels))
    refine = partial(crf_inference_labels, num_labels=int(num_labels), backend=backend)
    refine(image[:8, :8], [one[:8, :8] for one in maps])  # warm-up: loads the libraries
    with peak_memory() as peak:
        refine(image, maps)
    print(peak["mb"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    _print_peak(*sys.argv[1:])
