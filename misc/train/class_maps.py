"""What the classification network sees in an image: its classes, and where."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from misc.imutils import normalize, with_mirror
from misc.machine.device import Compute


@torch.inference_mode()
def scale_maps(
    model: nn.Module,
    images: Sequence[torch.Tensor],
    *,
    keys: np.ndarray,
    compute: Compute,
) -> list[torch.Tensor]:
    """Apply the network to an image at each scale, and keep the maps of the image's classes.

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


@torch.inference_mode()
def found_classes(
    model: nn.Module, image: torch.Tensor, *, least: float, compute: Compute
) -> np.ndarray:
    """Find the classes in an image.

    Args:
        model: the classification network, from images (N, 3, H, W) to logits (N, C).
        image: uint8 (3, H, W).
        least: the least probability of a class that is found.
        compute: device and precision.

    Returns:
        int64 (K,), the classes, 0-based.
    """
    with compute.autocast(image):
        logit = model(normalize(compute.put(image))[None])[0]
    return np.flatnonzero(logit.float().sigmoid().cpu().numpy() >= least)
