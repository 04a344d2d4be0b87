"""Semantic labels of images by a trained network, refined by a dense CRF."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from misc.crf import crf_inference_probabilities
from misc.files.atomic import atomic_path
from misc.learning.samples import LoadedScales, load_scales
from misc.learning.validation import probabilities
from misc.machine.device import Compute
from misc.running.dataset import Images
from misc.running.workers import Way, run_images

SCORES = "scores/{}.npz"  # in the output folder; {} is an image's id
_STEPS = 65535


def segment_images(
    model: nn.Module,
    images: Images,
    ids: Sequence[str],
    folder: Path,
    *,
    scales: Sequence[float],
    crf: str | None,
    compute: Compute,
    outputs: Callable[[str], Sequence[Path]],
    write: Callable[[str, np.ndarray], None],
) -> None:
    """Label images in two passes: the network on the device, then the CRF in the workers.

    In between, an image's probabilities are kept on disk, on the stride-4 grid.

    Args:
        model: maps images (B, 3, H, W) to logits (B, L, h, w).
        images: has the images.
        ids: the images to label.
        folder: the output folder, which holds the probabilities in between.
        scales: image scales whose probabilities are averaged.
        crf: the implementation of the dense CRF; None for none.
        compute: device, precision and loader processes.
        outputs: the files that `write` writes for an image.
        write: writes an image's label, uint8 (H, W); picklable.
    """

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, scaled = loaded
        grid = tuple((side - 1) // 4 + 1 for side in size)
        found = probabilities(model, scaled, grid, compute)
        steps = (found * _STEPS).round().cpu().numpy().astype(np.uint16)
        yield partial(write_scores, scores_path(folder, image_id), steps)

    def scored(image_id: str) -> Sequence[Path]:
        final = outputs(image_id)
        return final if all(p.is_file() for p in final) else [scores_path(folder, image_id)]

    run_images(
        ids,
        partial(load_scales, images, scales),
        process=process,
        outputs=scored,
        num_workers=compute.num_workers,
        description="deeplab",
    )
    run_images(
        ids,
        partial(_write_label, images, folder, crf, write),
        outputs=outputs,
        num_workers=compute.num_workers,
        description="deeplab labels",
    )


def scores_path(folder: Path, image_id: str) -> Path:
    """Return the path of an image's probabilities in an output folder."""
    return folder / "scores" / f"{image_id}.npz"


def write_scores(path: Path, steps: np.ndarray) -> None:
    """Write probabilities, uint16 (L, h, w) in 65535 steps."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, steps=steps)


def read_scores(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """Read probabilities and upsample them to the image's (H, W): float32 (L, H, W).

    Raises:
        ValueError: the file is broken.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            small = torch.from_numpy(stored["steps"].astype(np.float32) / _STEPS)
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything on a broken file
        raise ValueError(f"{path}: not readable ({error}); delete it to make it again") from error
    return F.interpolate(small[None], size, mode="bilinear", align_corners=False)[0].numpy()


def _write_label(
    images: Images,
    folder: Path,
    crf: str | None,
    write: Callable[[str, np.ndarray], None],
    image_id: str,
) -> None:
    """Compute an image's label from its probabilities, which are then deleted."""
    image, path = images.image(image_id), scores_path(folder, image_id)
    found = read_scores(path, image.shape[:2])
    if crf:
        found = crf_inference_probabilities(image, found, backend=crf)
    write(image_id, found.argmax(axis=0).astype(np.uint8))
    path.unlink(missing_ok=True)
