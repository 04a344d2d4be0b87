"""Mask R-CNN on a ResNet with FPN: torchvision's, only the backbone pretrained (METHOD section 9).

torchvision's pretrained detectors were trained on COCO's masks. None of them is ever loaded here:
networks that evaluate weak supervision must not have seen a mask.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from misc.learning.weights import load_weights
from misc.settings.config import Config
from net.folded import fold_batch_norm

CHANNELS = 256  # torchvision's
BOX_SIDE = 7  # cells to which a box's features are pooled
FROZEN_LAYERS = 2  # conv1 and layer1, as is usual when a detector is fine-tuned


class Pyramid(BackboneWithFPN):
    """The backbone with a precision of its own; its maps are float32."""

    autocast: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map normalised images (B, 3, H, W) to maps (B, channels, h, w) by pyramid level."""
        with self.autocast:
            levels = super().forward(image)
        return {name: level.float() for name, level in levels.items()}


class Detector(MaskRCNN):
    """torchvision's Mask R-CNN, with autocast for its backbone only.

    Boxes are decoded, and targets cast, in the dtype of the maps that they come from: in bfloat16
    coordinates near 800 pixels have steps of 4.
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

    def load_published(self, state: Mapping[str, torch.Tensor], *, source: str) -> None:
        """Load weights of ours; ValueError where they do not fit."""
        load_weights(self, state, source=source)


def mask_rcnn(
    num_classes: int,
    *,
    min_size: int,
    max_size: int,
    sampled_boxes: int = 512,
    backbone: str = "resnet50",
    channels: int = CHANNELS,
) -> Detector:
    """Build torchvision's `maskrcnn_resnet50_fpn` with random weights and frozen batch norm.

    Its `backbone.body` takes the backbone's weights, by `misc.learning.pretrained.load_pretrained`.

    Args:
        num_classes: number of foreground classes, C; label 0 is the background.
        min_size: the short side that images are resized to, pixels.
        max_size: upper limit of their long side, pixels.
        sampled_boxes: proposals sampled per image to train the heads.
        backbone: the ResNet.
        channels: of the feature pyramid and of the heads; the box head's layers have four times as
            many.
    """
    pyramid = resnet_fpn_backbone(
        backbone_name=backbone,
        weights=None,
        norm_layer=FrozenBatchNorm2d,
        trainable_layers=5 - FROZEN_LAYERS,
    )
    fold_batch_norm(pyramid.body)
    pyramid.__class__ = Pyramid  # the same layers under the same names
    return Detector(
        pyramid,
        **_heads(pyramid, num_classes + 1, channels),
        min_size=min_size,
        max_size=max_size,
        box_batch_size_per_image=sampled_boxes,
        box_nms_thresh=0.5,
    )


def mask_rcnn_of(config: Config, num_classes: int) -> Detector:
    """Build the Mask R-CNN that the settings describe; see `mask_rcnn`."""
    return mask_rcnn(
        num_classes,
        min_size=config.mask_rcnn_min_size,
        max_size=config.mask_rcnn_max_size,
        sampled_boxes=config.mask_rcnn_sampled_boxes,
        channels=config.mask_rcnn_channels,
        backbone=config.backbone,
    )


def _heads(pyramid: BackboneWithFPN, num_labels: int, channels: int) -> dict[str, Any]:
    """Return the arguments for heads of this width; the pyramid is narrowed where it is not 256."""
    if channels == CHANNELS:
        return {"num_classes": num_labels}
    levels = [block[0].in_channels for block in pyramid.fpn.inner_blocks]
    pyramid.fpn = FeaturePyramidNetwork(levels, channels, LastLevelMaxPool())
    pyramid.out_channels = channels
    wide = 4 * channels
    return {
        "box_head": TwoMLPHead(channels * BOX_SIDE**2, wide),
        "box_predictor": FastRCNNPredictor(wide, num_labels),
        "mask_head": MaskRCNNHeads(channels, [channels] * 4, dilation=1),
        "mask_predictor": MaskRCNNPredictor(channels, channels, num_labels),
    }


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the trainable parameters."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
