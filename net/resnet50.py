"""The backbone: torchvision's ResNet-50 at output stride 16, and where its weights come from."""

import torch
import torchvision
from torch import nn
from torchvision.models import ResNet


def resnet50() -> ResNet:
    """Build torchvision's ResNet-50 with layer4's stride set to 1, without its classifier.

    Its stride is in the 3×3 convolution, as in the published program. Output stride 16,
    no dilation, random weights; `conv1`, `bn1`, `layer1` … `layer4` keep torchvision's names.
    """
    # Zero-initialised residual branches speed up training from scratch; loaded weights replace
    # them.
    model = torchvision.models.resnet50(weights=None, zero_init_residual=True)
    first = model.layer4[0]
    first.conv2.stride = (1, 1)
    first.downsample[0].stride = (1, 1)
    del model.fc, model.avgpool
    return model


def stem(model: ResNet, image: torch.Tensor) -> torch.Tensor:
    """Apply the stem, before layer1: (B, 3, H, W) to (B, 64, ⌈H/4⌉, ⌈W/4⌉)."""
    return model.maxpool(model.relu(model.bn1(model.conv1(image))))


def fix_batch_norm(model: nn.Module) -> None:
    """Make every batch norm use its running statistics; weight and bias are unchanged."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
