"""IRNet: boundary and displacement branches on a frozen ResNet (METHOD section 4)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from misc.affinity import affinity_displacement_losses
from misc.files.weights import load_weights
from misc.indexing import PathIndex
from misc.machine import ranks
from net.backbone import build_backbone, stage_channels, stem

# The published files store some tensors twice, also under the names of module groups, and the
# index buffers of the published loss.
_ALIASES = (
    *(f"stage{number}." for number in range(1, 6)),
    *("backbone.", "edge_layers.", "dp_layers.", "path_indices", "disp_target", "resnet50.fc."),
)


class MeanShift(nn.Module):
    """Subtract a stored mean from each channel, in eval mode only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.running_mean: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, channels, h, w) to the same shape."""
        return x if self.training else x - self.running_mean.view(1, -1, 1, 1)


class Net(nn.Module):
    """IRNet: a frozen backbone, a boundary branch and a displacement branch.

    Args:
        backbone: the ResNet; whichever it is, it stands under the name `resnet50`, as published.
    """

    def __init__(self, *, backbone: str = "resnet50") -> None:
        super().__init__()
        self.resnet50 = build_backbone(backbone)
        c1, c2, c3, c4, c5 = stage_channels(self.resnet50)
        for parameter in self.resnet50.parameters():
            parameter.requires_grad = False

        self.fc_edge1 = _block(c1, 32, groups=4)
        self.fc_edge2 = _block(c2, 32, groups=4)
        self.fc_edge3 = _block(c3, 32, groups=4, upsample=2)
        self.fc_edge4 = _block(c4, 32, groups=4, upsample=4)
        self.fc_edge5 = _block(c5, 32, groups=4, upsample=4)
        self.fc_edge6 = nn.Conv2d(160, 1, 1)

        self.fc_dp1 = _block(c1, 64, groups=8)
        self.fc_dp2 = _block(c2, 128, groups=16)
        self.fc_dp3 = _block(c3, 256, groups=16)
        self.fc_dp4 = _block(c4, 256, groups=16, upsample=2)
        self.fc_dp5 = _block(c5, 256, groups=16, upsample=2)
        self.fc_dp6 = _block(768, 256, groups=16, upsample=2)
        self.mean_shift = MeanShift(2)
        self.fc_dp7 = nn.Sequential(
            nn.Conv2d(448, 256, 1, bias=False),
            nn.GroupNorm(16, 256),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 2, 1, bias=False),
            self.mean_shift,
        )

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Map images (B, 3, H, W) to x1 … x5: strides 4, 4, 8, 16, 16; no gradient."""
        with torch.no_grad():
            x1 = stem(self.resnet50, image)
            x2 = self.resnet50.layer1(x1)
            x3 = self.resnet50.layer2(x2)
            x4 = self.resnet50.layer3(x3)
            x5 = self.resnet50.layer4(x4)
        return [x1, x2, x3, x4, x5]

    def boundary_logit(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Apply the boundary branch: (B, 1, h, w) logits on the stride-4 grid."""
        blocks = (self.fc_edge1, self.fc_edge2, self.fc_edge3, self.fc_edge4, self.fc_edge5)
        maps = [block(x) for block, x in zip(blocks, features, strict=True)]
        size = maps[0].shape[2:]
        return self.fc_edge6(torch.cat([_cut(x, size) for x in maps], dim=1))

    def displacement(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Apply the displacement branch: (B, 2, h, w), dy and dx in stride-4 pixels."""
        x1, x2, x3, x4, x5 = features
        near, middle = [self.fc_dp1(x1), self.fc_dp2(x2)], self.fc_dp3(x3)
        coarse = [_cut(self.fc_dp4(x4), middle.shape[2:]), _cut(self.fc_dp5(x5), middle.shape[2:])]
        far = self.fc_dp6(torch.cat([middle, *coarse], dim=1))
        return self.fc_dp7(torch.cat([*near, _cut(far, near[0].shape[2:])], dim=1))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map normalised images (B, 3, H, W) to boundary logits and displacements.

        Returns:
            boundary logits (B, 1, h, w), and displacements (B, 2, h, w): dy and dx in stride-4
            pixels, from a pixel to the centre of its instance.
        """
        features = self.features(image)
        return self.boundary_logit(features), self.displacement(features)

    def train(self, mode: bool = True) -> "Net":
        """Set the mode of the branches; the backbone stays in eval mode."""
        super().train(mode)
        self.resnet50.eval()
        return self

    def trainable_parameters(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters of the boundary branch and of the displacement branch."""
        branches: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, parameter in self.named_parameters():
            if not name.startswith("resnet50."):
                branches[name.startswith("fc_edge")].append(parameter)
        return branches[True], branches[False]

    def load_published(self, state: Mapping[str, torch.Tensor], *, source: str) -> None:
        """Load our weights or the published program's; ValueError where they do not fit."""
        load_weights(self, state, source=source, ignore=_ALIASES)


class AffinityDisplacementLoss(Net):
    """IRNet in its training form: its outputs are the four losses.

    Args:
        path_index: its radius is the largest distance, in stride-4 pixels, of a pair's pixels.
        backbone: the ResNet.
    """

    def __init__(self, path_index: PathIndex, *, backbone: str = "resnet50") -> None:
        super().__init__(backbone=backbone)
        self.radius = path_index.radius

    def forward(  # type: ignore[override]  # the forms share weights, not outputs
        self, image: torch.Tensor, label: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Compute the losses `pos`, `neg`, `dp_fg` and `dp_bg` of a batch.

        Args:
            image: normalised images (B, 3, H, W).
            label: relation labels on the stride-4 grid, (B, h, w): 0 background, class + 1,
                255 ignored.
        """
        boundary_logit, displacement = super().forward(image)
        return affinity_displacement_losses(
            boundary_logit,
            displacement,
            label,
            radius=self.radius,
            reduce_counts=ranks.mean_count,
        )


class EdgeDisplacement(Net):
    """IRNet in its inference form: an image and its mirror in, boundary and displacement out.

    Args:
        crop_size: images are zero-padded at the right and bottom to this side, pixels; 0 pads to
            the next multiple of 16 alone.
        stride: of the outputs, pixels.
        backbone: the ResNet.
    """

    def __init__(
        self, crop_size: int = 512, stride: int = 4, *, backbone: str = "resnet50"
    ) -> None:
        super().__init__(backbone=backbone)
        self.crop_size = crop_size
        self.stride = stride

    def forward(self, pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute boundaries and displacements of one image.

        Args:
            pair: the normalised image and its horizontal mirror, (2, 3, H, W), of any size: an
                axis longer than `crop_size` is padded to the next multiple of 16.

        Returns:
            boundary probability (1, h, w) in [0, 1] and displacement (2, h, w) in stride-4
            pixels, h = (H - 1) // 4 + 1, w likewise.
        """
        height, width = pair.shape[2:]
        grid = [(side - 1) // self.stride + 1 for side in (height, width)]
        padded = [max(self.crop_size, -(-side // 16) * 16) for side in (height, width)]
        padding = (0, padded[1] - width, 0, padded[0] - height)
        features = self.features(F.pad(pair, padding))
        logit = _cut(self.boundary_logit(features), grid).float()
        # The mirror's displacements are not used.
        displacement = self.displacement([maps[:1] for maps in features])
        boundary = torch.sigmoid(logit[0] / 2 + logit[1].flip(-1) / 2)
        return boundary, _cut(displacement[0], grid).float()


def _block(channels: int, out_channels: int, *, groups: int, upsample: int = 1) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out_channels, 1, bias=False),
        nn.GroupNorm(groups, out_channels),
    ]
    if upsample > 1:
        layers.append(nn.Upsample(scale_factor=upsample, mode="bilinear", align_corners=False))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def _cut(x: torch.Tensor, size: list[int] | torch.Size) -> torch.Tensor:
    """Crop (..., H, W) to the size of the map that it is concatenated with."""
    return x[..., : size[0], : size[1]]
