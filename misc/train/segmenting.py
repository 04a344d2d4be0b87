"""Semantic labels of images by a trained network, refined by a dense CRF."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from misc.crf import crf_inference_probabilities
from misc.files.dataset import Images
from misc.machine.device import Compute
from misc.run.workers import Way, run_images
from misc.train.samples import LoadedScales, load_scales
from misc.train.validation import probabilities

_STEPS = 65535


def segment_images(
    model: nn.Module,
    images: Images,
    ids: Sequence[str],
    *,
    scales: Sequence[float],
    crf: str | None,
    compute: Compute,
    outputs: Callable[[str], Sequence[Path]],
    write: Callable[[str, np.ndarray], None],
) -> None:
    """Label images: the network on the device, then the CRF in the workers.

    In between, an image's probabilities are on the stride-4 grid, in 16 bits.

    Args:
        model: maps images (B, 3, H, W) to logits (B, L, h, w).
        images: has the images.
        ids: the images to label.
        scales: image scales whose probabilities are averaged.
        crf: the implementation of the dense CRF; None for none.
        compute: device, precision and loader processes.
        outputs: the files that `write` writes for an image.
        write: writes an image's label, uint8 (H, W); picklable.
    """

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, (image, *scaled) = loaded
        grid = tuple((side - 1) // 4 + 1 for side in size)
        found = probabilities(model, scaled, grid, compute)
        steps = (found * _STEPS).round().cpu().numpy().astype(np.uint16)
        yield partial(_write_label, image.numpy().transpose(1, 2, 0), steps, crf, write, image_id)

    run_images(
        ids,
        partial(load_scales, images, (1.0, *scales)),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        description="deeplab",
    )


def _write_label(
    image: np.ndarray,
    steps: np.ndarray,
    crf: str | None,
    write: Callable[[str, np.ndarray], None],
    image_id: str,
) -> None:
    """Write the label of an image (H, W, 3) whose probabilities are uint16 (L, h, w)."""
    small = torch.from_numpy(steps.astype(np.float32) / _STEPS)
    large = F.interpolate(small[None], image.shape[:2], mode="bilinear", align_corners=False)
    found = large[0].numpy()
    if crf:
        found = crf_inference_probabilities(image, found, backend=crf)
    write(image_id, found.argmax(axis=0).astype(np.uint8))
