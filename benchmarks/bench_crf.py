"""Relation labels: one CRF lattice for an image's two label maps, and several worker processes."""

import time

import numpy as np

from benchmarks.harness import Row, interleaved
from misc.crf import crf_inference_labels
from misc.relation import relation_label
from misc.workers import run_images

HEIGHT, WIDTH = 375, 500
KEYS = np.array([3, 14])


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
    """Refine the two maps with a lattice of its own each."""
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
    """Measure relation labels of images of 375×500 pixels."""
    return [_lattice_row(images=4 if full else 1), _worker_row(images=24 if full else 6)]


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


def _worker_seconds(workers: int, images: int) -> float:
    start = time.perf_counter()
    run_images([str(seed) for seed in range(images)], _label_example, num_workers=workers)
    return time.perf_counter() - start


def _label_example(image_id: str) -> int:
    return int(relation_label(*example(int(image_id)), KEYS).sum())


def _natural_noise(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) / frequency
    texture = np.fft.irfft2(noise, s=(HEIGHT, WIDTH))
    return texture / texture.std()
