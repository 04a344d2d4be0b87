"""The backbone: one of torchvision's ResNets, at output stride 32, 16 or 8."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.models import ResNet
from torchvision.ops import FrozenBatchNorm2d

LAYERS = ("layer1", "layer2", "layer3", "layer4")


def build_backbone(
    name: str = "resnet50",
    *,
    output_stride: int = 16,
    dilated: bool = False,
    norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d,
    zero_init_residual: bool = True,
) -> ResNet:
    """Build one of torchvision's ResNets without its classifier, with random weights.

    `conv1`, `bn1`, `layer1` … `layer4` keep torchvision's names; of a bottleneck the 3×3
    convolution has the stride, as in the published program.

    Args:
        name: one of `misc.settings.config.BACKBONES`.
        output_stride: 32: torchvision's; 16: layer4 has stride 1, without dilation, as published;
            8: layer3 and layer4 have stride 1, and dilation in its place.
        dilated: whether layer4 has dilation in place of its stride at output stride 16, too.
        norm_layer: makes the batch norms.
        zero_init_residual: start with residual branches of zero, which speeds up training from
            scratch; loaded weights replace them.
    """
    model = torchvision.models.get_model(
        name, weights=None, norm_layer=norm_layer, zero_init_residual=zero_init_residual
    )
    if output_stride == 8:
        _keep_size(model.layer3, first=1, then=2)
        _keep_size(model.layer4, first=2, then=4)
    elif output_stride == 16:
        _keep_size(model.layer4, first=1, then=2 if dilated else 1)
    del model.fc, model.avgpool
    return model


class FrozenBatchNorm(FrozenBatchNorm2d):
    """Batch norm whose statistics, weight and bias never change; 16-bit maps stay 16-bit."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        fixed = (self.running_mean, self.running_var, self.weight, self.bias)
        return F.batch_norm(x, *fixed, eps=self.eps)


def _keep_size(layer: nn.Module, *, first: int, then: int) -> None:
    """Set a layer's stride to 1, and the dilation of its first block and of the others."""
    for place, block in enumerate(layer.children()):
        dilation = then if place else first
        for conv in (m for m in block.modules() if isinstance(m, nn.Conv2d)):
            conv.stride = (1, 1)
            if conv.kernel_size == (3, 3):
                conv.padding = conv.dilation = (dilation, dilation)


def stage_channels(model: nn.Module) -> list[int]:
    """Return the channels of the stem and of layer1 … layer4: 64, 256 … 2048 of a ResNet-50."""
    stages = [model.get_submodule(name) for name in ("bn1", *LAYERS)]
    means = [[b for n, b in s.named_buffers() if n.endswith("running_mean")] for s in stages]
    return [len(found[-1]) for found in means]


def stem(model: ResNet, image: torch.Tensor) -> torch.Tensor:
    """Apply the stem, before layer1: (B, 3, H, W) to (B, 64, ⌈H/4⌉, ⌈W/4⌉)."""
    return model.maxpool(model.relu(model.bn1(model.conv1(image))))


def fix_batch_norm(model: nn.Module) -> None:
    """Make every batch norm use its running statistics; weight and bias are unchanged."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
