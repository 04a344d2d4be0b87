"""What networks find in images, in training's validations and when they are trained."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from misc.advcam import advcam_maps
from misc.crf import crf_inference_probabilities
from misc.files.dataset import Dataset, Images
from misc.imutils import normalize, normalize_crop, planes, rescale, top_left_window, with_mirror
from misc.machine.device import Compute
from misc.run.workers import Way, run_images
from misc.train.samples import detector_image

Outputs = Callable[[str], Sequence[Path]]
LoadedScales = tuple[tuple[int, int], list[torch.Tensor]]

MASK_THRESHOLD = 0.5
STEPS = 65535  # between the probabilities 0 and 1 in 16 bits


def load_scales(dataset: Images, scales: Sequence[float], image_id: str) -> LoadedScales:
    """Read an image: its (H, W), and the image at each scale, uint8 (3, sH, sW)."""
    image = dataset.image(image_id)
    return image.shape[:2], [planes(rescale(image, scale)) for scale in scales]


def load_crop(dataset: Images, crop_size: int, image_id: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Read an image's top left crop, uint8 (3, crop, crop), and its extent for normalize_crop."""
    image = dataset.image(image_id)
    window = top_left_window(image.shape[:2], crop_size)
    crop = window.cut(image.transpose(2, 0, 1), 0)
    return torch.from_numpy(crop), torch.from_numpy(window.extent)


def measure_crops(
    measure: Callable[[torch.Tensor], torch.Tensor],
    dataset: Dataset,
    ids: Sequence[str],
    *,
    crop_size: int,
    compute: Compute,
    description: str,
) -> torch.Tensor:
    """Measure each image's top left crop, padded with zeros.

    `measure` maps the crop, normalised (1, 3, crop, crop), to a tensor (1, …).

    Returns:
        float32 (N, …), the measures in the order of the images.
    """

    @torch.inference_mode()
    def process(_: str, loaded: Sequence[torch.Tensor]) -> torch.Tensor:
        with compute.autocast(loaded[0]):
            found = measure(normalize_crop(*compute.put(loaded))[None])
        return found[0].float().cpu()

    found = run_images(
        ids,
        partial(load_crop, dataset, crop_size),
        process=process,
        compute=compute,
        description=description,
    )
    return torch.stack(found)


@torch.inference_mode()
def scale_maps(
    model: Callable[[torch.Tensor], torch.Tensor],
    images: Sequence[torch.Tensor],
    *,
    keys: np.ndarray,
    compute: Compute,
) -> list[torch.Tensor]:
    """Compute the class attention maps of an image's classes at each scale.

    Args:
        model: the CAM form of the classification network.
        images: the image at each scale, uint8 (3, sH, sW).
        keys: the image's classes, 0-based (K,).
        compute: device and precision.

    Returns:
        for each scale the raw maps, float32 (K, ⌈sH/16⌉, ⌈sW/16⌉), on the device.
    """
    index = torch.as_tensor(keys, device=compute.device)
    maps = []
    for image in images:
        pair = with_mirror(normalize(compute.put(image)))
        with compute.autocast(pair):
            maps.append(model(pair)[index].float())
    return maps


def advcam_scale_maps(
    model: Any,
    images: Sequence[torch.Tensor],
    *,
    scales: Sequence[float],
    keys: np.ndarray,
    iterations: int,
    compute: Compute,
) -> list[torch.Tensor]:
    """Compute AdvCAM's maps of an image's classes at each scale, as `scale_maps`.

    `model` is the classification network. At scales below 1 half of the iterations are made.
    """
    classes = torch.as_tensor(keys, device=compute.device)
    parts = {"features": model.features, "classifier": model.classifier.weight}
    maps = []
    for image, scale in zip(images, scales, strict=True):
        pair = with_mirror(normalize(compute.put(image)))
        count = iterations if scale >= 1 else max(1, iterations // 2)
        with compute.autocast(pair):
            maps.append(advcam_maps(pair, classes, iterations=count, **parts))
    return maps


@torch.inference_mode()
def apply_to_image(network: Any, image: torch.Tensor, compute: Compute) -> torch.Tensor:
    """Apply a network to an image, uint8 (3, H, W); return its result of the image, float32."""
    with compute.autocast(image):
        result: torch.Tensor = network(normalize(compute.put(image))[None])[0]
    return result.float()


def found_classes(
    model: nn.Module, image: torch.Tensor, *, least: float, compute: Compute
) -> np.ndarray:
    """Find the classes, int64 (K,) from 0, that an image, uint8 (3, H, W), shows.

    `least` is the least probability of a class that is found.
    """
    logit = apply_to_image(model, image, compute)
    return np.flatnonzero(logit.sigmoid().cpu().numpy() >= least)


def detect_images(
    model: nn.Module,
    images: Images,
    ids: Sequence[str],
    *,
    use: Callable[[str, dict[str, np.ndarray]], Any],
    compute: Compute,
    description: str,
    outputs: Outputs | None = None,
) -> list[Any]:
    """Detect the objects in images, and return what `use` makes of an image and its detections.

    `use` may write the files of `outputs`; an image whose files are there is left out.
    """

    # Used where the network is: the masks of large images take gigabytes on a way to workers.
    @torch.inference_mode()
    def process(image_id: str, image: torch.Tensor) -> Any:
        with compute.autocast():
            (found,) = model([detector_image(compute.put(image))])
        return use(image_id, as_detections(found))

    return run_images(
        ids,
        partial(_load_image, images),
        process=process,
        outputs=outputs,
        compute=compute,
        description=description,
    )


def _load_image(images: Images, image_id: str) -> torch.Tensor:
    return planes(images.image(image_id))


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


@torch.inference_mode()
def probabilities(
    model: nn.Module, images: Sequence[torch.Tensor], grid: tuple[int, ...], compute: Compute
) -> torch.Tensor:
    """Average the probabilities of labels over scales and mirror images.

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


def segment_images(
    model: nn.Module,
    images: Images,
    ids: Sequence[str],
    *,
    scales: Sequence[float],
    crf: str | None,
    use: Callable[[str, np.ndarray], Any],
    compute: Compute,
    description: str,
    outputs: Outputs | None = None,
) -> list[Any]:
    """Label images by `probabilities`, and return what `use` makes of an image and its label.

    `use` is picklable and runs in the workers, as does the implementation `crf` of the dense CRF;
    the label is uint8 (H, W). It may write the files of `outputs`; an image whose files are there
    is left out. On their way to the workers probabilities are on the stride-4 grid, in 16 bits.
    """

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, (image, *scaled) = loaded
        grid = tuple((side - 1) // 4 + 1 for side in size)
        found = probabilities(model, scaled, grid, compute)
        steps = (found * STEPS).round().cpu().numpy().astype(np.uint16)
        pixels = image.numpy().transpose(1, 2, 0) if crf else None
        return (yield partial(_use_label, use, image_id, steps, size, pixels, crf))

    return run_images(
        ids,
        partial(load_scales, images, (1.0, *scales)),
        process=process,
        outputs=outputs,
        compute=compute,
        description=description,
    )


def _use_label(
    use: Callable[[str, np.ndarray], Any],
    image_id: str,
    steps: np.ndarray,
    size: tuple[int, int],
    pixels: np.ndarray | None,
    crf: str | None,
) -> Any:
    """Use the label of an image (H, W, 3) whose probabilities are uint16 (L, h, w)."""
    small = torch.from_numpy(steps.astype(np.float32) / STEPS)
    found = F.interpolate(small[None], size, mode="bilinear", align_corners=False)[0].numpy()
    if crf:
        assert pixels is not None
        found = crf_inference_probabilities(pixels, found, backend=crf)
    return use(image_id, found.argmax(axis=0).astype(np.uint8))
