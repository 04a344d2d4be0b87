"""DeepLab-v2 on a ResNet (Chen et al., PAMI 2018; METHOD section 9)."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from misc.files.weights import load_weights
from misc.imutils import IGNORE
from misc.machine import ranks
from net.backbone import LAYERS, FrozenBatchNorm, build_backbone, stage_channels, stem

RATES = (6, 12, 18, 24)  # dilations at output stride 8


class DeepLab(nn.Module):
    """A dilated ResNet, and four parallel atrous classifiers that are summed.

    Args:
        num_labels: number of labels with the background, C + 1.
        backbone: the ResNet; whichever it is, it stands under the name `resnet50`.
        output_stride: 8 or 16; at 16 classifiers have half the dilation, which sees as far.
    """

    def __init__(
        self, num_labels: int, *, backbone: str = "resnet50", output_stride: int = 8
    ) -> None:
        super().__init__()
        self.resnet50 = build_backbone(
            backbone,
            output_stride=output_stride,
            dilated=True,
            norm_layer=FrozenBatchNorm,
            zero_init_residual=False,
        )
        channels = stage_channels(self.resnet50)[-1]
        rates = [rate * 8 // output_stride for rate in RATES]
        self.aspp = atrous_classifiers(channels, num_labels, rates)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map normalised images (B, 3, H, W) to logits (B, C + 1, ⌈H/8⌉, ⌈W/8⌉), or of H/16."""
        x = stem(self.resnet50, image)
        for layer in LAYERS:
            x = self.resnet50.get_submodule(layer)(x)
        return torch.stack([branch(x) for branch in self.aspp]).sum(dim=0)

    def trainable_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters of the backbone and those of the new classifiers."""
        return list(self.resnet50.parameters()), list(self.aspp.parameters())

    def load_published(self, state: Mapping[str, torch.Tensor], *, source: str) -> None:
        """Load weights of ours; ValueError where they do not fit."""
        load_weights(self, state, source=source)


def atrous_classifiers(channels: int, num_labels: int, rates: Sequence[int]) -> nn.ModuleList:
    """Build 3×3 convolutions to logits, one for each dilation; what they give is summed."""
    layers = nn.ModuleList()
    for rate in rates:
        layer = nn.Conv2d(channels, num_labels, 3, padding=rate, dilation=rate)
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        layers.append(layer)
    return layers


def label_loss(logit: torch.Tensor, label: torch.Tensor, *, ignore: int = IGNORE) -> torch.Tensor:
    """Compute the mean cross entropy of logits, upsampled to the labels' size.

    Args:
        logit: (B, C + 1, h, w).
        label: uint8 (B, H, W); pixels of `ignore` do not count.

    Returns:
        a scalar; 0 where no pixel counts. Of a part of a batch it is scaled so that the parts' mean
        is the mean over all pixels.
    """
    large = F.interpolate(logit.float(), size=label.shape[1:], mode="bilinear", align_corners=False)
    total = F.cross_entropy(large, label.long(), ignore_index=ignore, reduction="sum")
    # Parts average their gradients: each divides by the mean of the parts' counts of pixels.
    return total / ranks.mean_count(labelled_pixels(label, ignore=ignore)).clamp(min=1e-5)


def labelled_pixels(label: torch.Tensor, *, ignore: int = IGNORE) -> torch.Tensor:
    """Count the pixels of labels that are not `ignore`: float32, a scalar."""
    return (label != ignore).sum().float()
