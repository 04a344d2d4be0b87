"""Images per second of each training stage's loader, alone and with the network."""

import itertools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import Row
from benchmarks.scenes import SIZE
from misc.files.images import write_label
from misc.indexing import PathIndex
from misc.train.samples import ClassificationSamples, RelationSamples, load_batches
from net.resnet50_cam import Net
from net.resnet50_irn import AffinityDisplacementLoss
from step.train_cam import classification_loss
from step.train_irn import relation_losses

IMAGES, BATCH = 32, 4


def rows(*, full: bool = False) -> list[Row]:
    """Measure the loaders at the published crop on photographs of 375×500."""
    with tempfile.TemporaryDirectory() as folder:
        _make_images(Path(folder))
        return [_classification(Path(folder)), _relation(Path(folder))]


def _classification(folder: Path) -> Row:
    samples = ClassificationSamples(
        ids=[str(n) for n in range(IMAGES)],
        labels=np.zeros((IMAGES, 20), np.float32),
        read_image=_Reader(folder, "jpg"),
        crop_size=512,
        resize_long=(320, 640),
    )
    model = Net(20).train()

    def step(batch: Any) -> None:
        classification_loss(model, samples.normalized(batch))["loss"].backward()

    return _row("train_cam", samples, step)


def _relation(folder: Path) -> Row:
    samples = RelationSamples(
        ids=[str(n) for n in range(IMAGES)],
        read_image=_Reader(folder, "jpg"),
        read_label=_Reader(folder, "png"),
        crop_size=512,
    )
    model = AffinityDisplacementLoss(PathIndex(10, (128, 128))).train()

    def step(batch: Any) -> None:
        torch.stack(
            list(relation_losses(model, samples.normalized(batch)).values())
        ).sum().backward()

    return _row("train_irn", samples, step)


def _row(stage: str, samples: Any, step: Callable[[Any], None]) -> Row:
    alone = _images_a_second(samples, lambda batch: None, batches=48)
    together = _images_a_second(samples, step, batches=5)
    return Row(
        what=f"loader of {stage}, crops of 512",
        goal="not the limit",
        met=alone > together,
        note=f"{alone:.1f} images/s alone, {together:.2f} with the network",
        seconds_an_image={stage: 1 / together},
    )


def _images_a_second(samples: Any, use: Callable[[Any], None], batches: int) -> float:
    workers = os.cpu_count() or 1
    iterator = load_batches(samples, BATCH, range(batches + 1), seed=0, num_workers=workers)
    next(iterator)
    start = time.perf_counter()
    for batch in itertools.islice(iterator, batches):
        use(batch)
    return batches * BATCH / (time.perf_counter() - start)


class _Reader:
    def __init__(self, folder: Path, ending: str) -> None:
        self.folder, self.ending = folder, ending

    def __call__(self, image_id: str) -> np.ndarray:
        from misc.files.images import read_image, read_label

        path = self.folder / f"{image_id}.{self.ending}"
        return read_image(path) if self.ending == "jpg" else read_label(path)


def _make_images(folder: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        small = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(small).resize(SIZE[::-1]).save(folder / f"{number}.jpg", quality=92)
        label = np.zeros(SIZE, np.uint8)
        label[100:250, 150:300] = 5
        write_label(folder / f"{number}.png", label)
