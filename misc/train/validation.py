"""Validation of networks during training, on images that they are not trained on."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from misc.evaluate.evaluation import instance_truth, match_found, precision_measures
from misc.files.dataset import Dataset, Images
from misc.imutils import normalize, normalize_crop, planes, with_mirror
from misc.machine import ranks
from misc.machine.device import Compute
from misc.metrics import confusion, mean_iou
from misc.run.workers import collect_images
from misc.train.samples import LoadedScales, detector_image, load_scales, top_left_crop

MASK_THRESHOLD = 0.5


def measure_crops(
    network: Callable[[torch.Tensor], torch.Tensor],
    measure: Callable[[str, torch.Tensor], torch.Tensor],
    dataset: Dataset,
    ids: Sequence[str],
    *,
    crop_size: int,
    compute: Compute,
    description: str,
) -> torch.Tensor:
    """Measure each image's top left crop, padded with zeros.

    Args:
        network: maps the crop, normalised (1, 3, crop, crop), to what is measured.
        measure: maps an image's id and that, float32 on the device, to a tensor.
        dataset: has the images.
        ids: the images.
        crop_size: side of the crop, pixels.
        compute: device, precision and loader processes.
        description: of the progress bar.

    Returns:
        the measures, (N, ...), in the order of the images.
    """

    def process(image_id: str, loaded: Sequence[torch.Tensor]) -> torch.Tensor:
        with torch.inference_mode():
            with compute.autocast(loaded[0]):
                found = network(normalize_crop(*compute.put(loaded))[None])
            return measure(image_id, found.float()).cpu()

    found = collect_images(
        ids,
        partial(_load_crop, dataset, crop_size),
        process=process,
        num_workers=compute.num_workers,
        description=description,
    )
    return torch.stack(found)


def as_detections(output: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Convert the network's output for an image to detections as they are written.

    Args:
        output: of torchvision: `scores` (N,), `labels` (N,) from 1, `masks` (N, 1, H, W) in [0, 1].

    Returns:
        `score` float32 (N,), `mask` bool (N, H, W) and `class` int64 (N,) from 0, without those
        whose mask is empty.
    """
    mask = (output["masks"][:, 0] > MASK_THRESHOLD).cpu().numpy()
    seen = mask.any(axis=(1, 2))
    return {
        "score": output["scores"].float().cpu().numpy()[seen],
        "mask": mask[seen],
        "class": output["labels"].cpu().numpy()[seen] - 1,
    }


def load_image(dataset: Images, image_id: str) -> torch.Tensor:
    """Read an image, uint8 (3, H, W)."""
    return planes(dataset.image(image_id))


@torch.inference_mode()
def detect_objects(
    model: nn.Module, compute: Compute, image: torch.Tensor
) -> dict[str, np.ndarray]:
    """Detect the objects in an image, uint8 (3, H, W); see `as_detections`."""
    with compute.autocast():
        (output,) = model([detector_image(compute.put(image))])
    return as_detections(output)


def validation_precision(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Compute VOC's AP of a network during training, without writing anything."""

    def process(image_id: str, image: torch.Tensor) -> Any:
        found = detect_objects(model, compute, image)
        return match_found(found, instance_truth(dataset, image_id))

    records = collect_images(
        ids,
        partial(load_image, dataset),
        process=process,
        num_workers=compute.num_workers,
        description="validate",
    )
    return ranks.on_first(lambda: precision_measures(records, len(dataset.class_names)))


@torch.inference_mode()
def probabilities(
    model: nn.Module, images: Sequence[torch.Tensor], grid: tuple[int, ...], compute: Compute
) -> torch.Tensor:
    """Average the network's probabilities over scales and mirror images.

    Args:
        model: maps images (B, 3, H, W) to logits (B, L, h, w).
        images: the image at each scale, uint8 (3, sH, sW).
        grid: (height, width) of the result.
        compute: device and precision.

    Returns:
        float32 (L, height, width), which sum to 1 at each pixel.
    """
    total: Any = 0
    for image in images:
        with compute.autocast(image):
            logit = model(with_mirror(normalize(compute.put(image))))
        found = F.softmax(logit.float(), dim=1)
        found = F.interpolate(found, grid, mode="bilinear", align_corners=False)
        total = total + found[0] + found[1].flip(-1)
    return total / (2 * len(images))


def validation_iou(
    model: nn.Module, dataset: Dataset, ids: Sequence[str], *, compute: Compute
) -> dict[str, float]:
    """Compute the mIoU of a network during training: one scale, no CRF, nothing written."""

    def process(image_id: str, loaded: LoadedScales) -> np.ndarray:
        size, images = loaded
        label = probabilities(model, images, size, compute).argmax(dim=0).cpu().numpy()
        return confusion(label, dataset.semantic_label(image_id), len(dataset.class_names) + 1)

    counts = collect_images(
        ids,
        partial(load_scales, dataset, (1.0,)),
        process=process,
        num_workers=compute.num_workers,
        description="validate",
    )
    total = sum(counts, start=np.zeros((1, 1), np.int64))
    return {"val_mIoU": float(mean_iou(total))}


def _load_crop(
    dataset: Dataset, crop_size: int, image_id: str
) -> tuple[torch.Tensor, torch.Tensor]:
    return top_left_crop(dataset.image(image_id), crop_size)
