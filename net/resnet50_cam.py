"""The classification network, and its variant that outputs CAMs (METHOD section 1)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from misc.files.weights import load_weights
from net.backbone import build_backbone, fix_batch_norm, stage_channels, stem

# The published files store some tensors twice, also under the names of module groups.
_ALIASES = ("stage1.", "stage2.", "stage3.", "stage4.", "backbone.", "newly_added.", "resnet50.fc.")


class Net(nn.Module):
    """A ResNet with global average pooling and a 1×1 convolution as classifier.

    Args:
        num_classes: number of foreground classes, C.
        backbone: the ResNet; whichever it is, it stands under the name `resnet50`, as published.
        train_whole: train every layer, with live batch norm (for training from scratch). By
            default conv1 and bn1 are frozen, features are detached after layer2, and batch norm
            uses its running statistics, as published.
    """

    def __init__(
        self, num_classes: int = 20, *, backbone: str = "resnet50", train_whole: bool = False
    ) -> None:
        super().__init__()
        self.train_whole = train_whole
        self.resnet50 = build_backbone(backbone)
        channels = stage_channels(self.resnet50)[-1]
        self.classifier = nn.Conv2d(channels, num_classes, 1, bias=False)
        if not train_whole:
            frozen = ("conv1", "bn1", "layer1", "layer2")  # all below the detached features
            for parameter in (p for n in frozen for p in getattr(self.resnet50, n).parameters()):
                parameter.requires_grad = False

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """Map normalised images (B, 3, H, W) to features (B, 2048, ⌈H/16⌉, ⌈W/16⌉).

        The channels, 2048, are those of a ResNet-50.
        """
        with torch.set_grad_enabled(self.train_whole and torch.is_grad_enabled()):
            x = self.resnet50.layer2(self.resnet50.layer1(stem(self.resnet50, image)))
        return self.resnet50.layer4(self.resnet50.layer3(x))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map normalised images (B, 3, H, W) to class logits (B, C)."""
        pooled = self.features(image).mean(dim=(2, 3), keepdim=True)
        return self.classifier(pooled).flatten(1)

    def train(self, mode: bool = True) -> "Net":
        """Set the mode; batch norm keeps its running statistics unless `train_whole`."""
        super().train(mode)
        if not self.train_whole:
            fix_batch_norm(self)
        return self

    def trainable_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters of the backbone and those of the new classifier."""
        return list(self.resnet50.parameters()), list(self.classifier.parameters())

    def load_published(self, state: Mapping[str, torch.Tensor], *, source: str) -> None:
        """Load our weights or the published program's; ValueError where they do not fit."""
        load_weights(self, state, source=source, ignore=_ALIASES)


class CAM(Net):
    """The network in the form that outputs class attention maps."""

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        """Compute the class attention maps of an image.

        Args:
            pair: the normalised image and its horizontal mirror, (2, 3, H, W).

        Returns:
            (C, ⌈H/16⌉, ⌈W/16⌉), at least 0: the sum of both maps, the second flipped back.
        """
        maps = F.relu(F.conv2d(self.features(pair), self.classifier.weight))
        return maps[0] + maps[1].flip(-1)
