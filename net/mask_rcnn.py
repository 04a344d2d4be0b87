"""Mask R-CNN on a ResNet with FPN: torchvision's, only the backbone pretrained (METHOD section 9).

torchvision's pretrained detectors were trained on COCO's masks. None of them is ever loaded here:
networks that evaluate weak supervision must not have seen a mask.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from torchvision.ops.poolers import LevelMapper

from misc.files.weights import load_weights
from misc.machine.device import is_thin
from net.backbone import LAYERS, FrozenBatchNorm, build_backbone, stage_channels

CHANNELS = 256  # torchvision's
BOX_SIDE, MASK_SIDE = 7, 14  # cells to which a box's features are pooled
STRIDES = (4, 8, 16, 32)  # of the pyramid's levels that boxes are pooled from
FROZEN = ("conv1", "bn1", "layer1")  # as is usual when a detector is fine-tuned


class Transform(GeneralizedRCNNTransform):
    """torchvision's, but an image that is a line keeps a side of at least one pixel."""

    def resize(self, image: torch.Tensor, target: dict[str, torch.Tensor] | None = None) -> Any:
        """Resize an image (3, H, W), and its boxes (N, 4) and masks (N, H, W)."""
        old = image.shape[-2:]
        scale = min(self.min_size[-1] / min(old), self.max_size / max(old))
        new = [max(1, int(side * scale)) for side in old]
        image = F.interpolate(image[None], new, mode="bilinear", align_corners=False)[0]
        if target is not None:
            masks = F.interpolate(target["masks"][:, None].float(), new)[:, 0].byte()
            boxes = resize_boxes(target["boxes"], list(old), new)
            target = {**target, "boxes": boxes, "masks": masks}
        return image, target


class Detector(MaskRCNN):
    """torchvision's Mask R-CNN, with autocast for its backbone only.

    Boxes are decoded, and targets cast, in the dtype of the maps that they come from: in bfloat16
    coordinates near 800 pixels have steps of 4.
    """

    @property
    def resnet50(self) -> nn.Module:
        """Return the backbone; whichever it is, every network has it by this name."""
        return self.backbone.body

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that learn: those of the first layers are frozen."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def forward(
        self,
        images: Sequence[torch.Tensor],
        targets: Sequence[Mapping[str, torch.Tensor]] | None = None,
    ) -> Any:
        """Map images (3, H, W) in [0, 1], and targets in training, as torchvision's does."""
        sizes = [image.shape[-2:] for image in images]
        batch, targets = self.transform(images, targets)
        device = batch.tensors.device.type
        autocast = torch.is_autocast_enabled(device) and not is_thin(batch.tensors)
        with torch.autocast(device, torch.get_autocast_dtype(device), enabled=autocast):
            levels = self.backbone(batch.tensors)
        levels = {name: level.float() for name, level in levels.items()}
        with torch.autocast(device, enabled=False):
            proposals, proposal_losses = self.rpn(batch, levels, targets)
            found, losses = self.roi_heads(levels, proposals, batch.image_sizes, targets)
        if self.training:
            return losses | proposal_losses
        return self.transform.postprocess(found, batch.image_sizes, sizes)

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

    Args:
        num_classes: number of foreground classes, C; label 0 is the background.
        min_size: the short side that images are resized to, pixels.
        max_size: upper limit of their long side, pixels.
        sampled_boxes: proposals sampled per image to train the heads.
        backbone: the ResNet.
        channels: of the feature pyramid and of the heads; the box head's layers have four times as
            many.
    """
    body = build_backbone(
        backbone, output_stride=32, norm_layer=FrozenBatchNorm, zero_init_residual=False
    )
    for name in FROZEN:
        body.get_submodule(name).requires_grad_(False)
    pyramid = BackboneWithFPN(
        body,
        {layer: str(level) for level, layer in enumerate(LAYERS)},
        stage_channels(body)[1:],
        channels,
        LastLevelMaxPool(),
    )
    model = Detector(
        pyramid,
        **_heads(num_classes + 1, channels),
        box_roi_pool=_pool(BOX_SIDE),
        mask_roi_pool=_pool(MASK_SIDE),
        box_batch_size_per_image=sampled_boxes,
        box_nms_thresh=0.5,
    )
    usual = model.transform
    model.transform = Transform(min_size, max_size, usual.image_mean, usual.image_std)
    return model


def _heads(num_labels: int, channels: int) -> dict[str, Any]:
    """Return the arguments for heads of this width."""
    wide = 4 * channels
    return {
        "box_head": TwoMLPHead(channels * BOX_SIDE**2, wide),
        "box_predictor": FastRCNNPredictor(wide, num_labels),
        "mask_head": MaskRCNNHeads(channels, [channels] * 4, dilation=1),
        "mask_predictor": MaskRCNNPredictor(channels, channels, num_labels),
    }


def _pool(side: int) -> MultiScaleRoIAlign:
    """Return torchvision's pooling, with the scales that it would take from its first image."""
    names = [str(level) for level in range(len(STRIDES))]
    pool = MultiScaleRoIAlign(names, side, sampling_ratio=2)
    pool.scales = [1 / stride for stride in STRIDES]
    pool.map_levels = LevelMapper(2, 5)  # the exponents of the first stride and the last
    return pool
