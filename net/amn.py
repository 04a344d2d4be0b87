"""AMN's network: labels of pixels from an image and its classes (Lee et al., CVPR 2022)."""

from collections.abc import Mapping

import torch
from torch import nn

from misc.files.weights import load_weights
from net.backbone import LAYERS, build_backbone, fix_batch_norm, stage_channels, stem
from net.deeplab import RATES, atrous_classifiers


class AMN(nn.Module):
    """A ResNet whose channels the image's classes weight, and DeepLab's atrous classifiers.

    conv1 and bn1 are frozen, and batch norm uses its running statistics.

    Args:
        num_classes: number of foreground classes, C.
        backbone: the ResNet; whichever it is, it stands under the name `resnet50`.
    """

    def __init__(self, num_classes: int, *, backbone: str = "resnet50") -> None:
        super().__init__()
        self.num_classes = num_classes
        self.resnet50 = build_backbone(backbone)
        for part in (self.resnet50.conv1, self.resnet50.bn1):
            part.requires_grad_(False)
        channels = stage_channels(self.resnet50)[-1]
        self.embedding = nn.Linear(num_classes, channels)
        self.dropout = nn.Dropout(0.1)
        self.aspp = atrous_classifiers(channels, num_classes + 1, RATES)

    def forward(self, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Map normalised images and their classes to logits, the background first.

        Args:
            image: (B, 3, H, W).
            label: float (B, C) of 0 and 1.

        Returns:
            (B, C + 1, ⌈H/16⌉, ⌈W/16⌉).
        """
        x = stem(self.resnet50, image)
        for layer in LAYERS:
            x = self.resnet50.get_submodule(layer)(x)
        x = self.dropout(x * self.embedding(label)[..., None, None])
        return torch.stack([branch(x) for branch in self.aspp]).sum(dim=0)

    def pair_logit(self, label: torch.Tensor, pair: torch.Tensor) -> torch.Tensor:
        """Map a label (1, C), a normalised image and its mirror (2, 3, H, W) to the mean logits.

        Returns:
            (C + 1, ⌈H/16⌉, ⌈W/16⌉), of the image as it is.
        """
        logit = self(pair, label.expand(2, -1))
        return (logit[0] + logit[1].flip(-1)) / 2

    def train(self, mode: bool = True) -> "AMN":
        """Set the mode; batch norm keeps its running statistics."""
        super().train(mode)
        fix_batch_norm(self)
        return self

    def trainable_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters of the backbone and those of the new layers."""
        new = [*self.embedding.parameters(), *self.aspp.parameters()]
        return list(self.resnet50.parameters()), new

    def load_published(self, state: Mapping[str, torch.Tensor], *, source: str) -> None:
        """Load weights of ours; ValueError where they do not fit."""
        load_weights(self, state, source=source)
