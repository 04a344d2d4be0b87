"""Mask R-CNN on ResNet-50-FPN: torchvision's, with no weights but a backbone's (METHOD section 9).

torchvision's ready-made detectors were trained on COCO's masks. None of them is ever loaded here:
networks that are to show what image-level labels are worth must not have seen a mask.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

FROZEN_LAYERS = 2  # conv1 and layer1, as is usual when a detector is tuned
MASK_THRESHOLD = 0.5


class Pyramid(BackboneWithFPN):
    """The backbone in an arithmetic of its own; its maps come in float32."""

    autocast: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map normalised images (B, 3, H, W) to maps (B, channels, h, w) by their level."""
        with self.autocast:
            levels = super().forward(image)
        return {name: level.float() for name, level in levels.items()}


class Detector(MaskRCNN):
    """torchvision's Mask R-CNN, which lets the autocast that surrounds it reach its backbone only.

    Boxes are decoded, and targets cast, in the dtype of the maps that they come from: in bfloat16
    a coordinate of 800 pixels has steps of 4.
    """

    def forward(
        self,
        images: Sequence[torch.Tensor],
        targets: Sequence[Mapping[str, torch.Tensor]] | None = None,
    ) -> Any:
        """Map images (3, H, W) in [0, 1], and targets in training, as torchvision's does."""
        device = images[0].device.type
        self.backbone.autocast = torch.autocast(
            device,
            dtype=torch.get_autocast_dtype(device),
            enabled=torch.is_autocast_enabled(device),
        )
        with torch.autocast(device, enabled=False):
            return super().forward(images, targets)


def mask_rcnn(
    num_classes: int, *, min_size: int, max_size: int, sampled_boxes: int = 512
) -> Detector:
    """Build torchvision's `maskrcnn_resnet50_fpn` with random weights and frozen batch norm.

    Its `backbone.body` takes a ResNet-50's weights, by `net.resnet50.load_pretrained`.

    Args:
        num_classes: number of foreground classes, C; label 0 is the background.
        min_size: the short side that images are resized to, pixels.
        max_size: the most that their long side may then have, pixels.
        sampled_boxes: proposals of an image that the heads learn from in a step.
    """
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50",
        weights=None,
        norm_layer=FrozenBatchNorm2d,
        trainable_layers=5 - FROZEN_LAYERS,
    )
    backbone.__class__ = Pyramid  # the same layers under the same names
    return Detector(
        backbone,
        num_classes=num_classes + 1,
        min_size=min_size,
        max_size=max_size,
        box_batch_size_per_image=sampled_boxes,
        box_nms_thresh=0.5,
    )


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Give the parameters that learn."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def as_detections(output: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Turn what the network found in an image into detections as they are written.

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
