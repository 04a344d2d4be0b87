"""The backbone: torchvision's ResNet-50 at output stride 16, and where its weights come from."""

from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from torch import nn
from torchvision.models import ResNet

from misc.weights import load_weights, read_state_dict


def resnet50() -> ResNet:
    """Build torchvision's ResNet-50 with layer4's stride set to 1, without its classifier.

    Its stride stands in the 3×3 convolution, as in the published program. Output stride 16,
    no dilation, random weights; `conv1`, `bn1`, `layer1` … `layer4` keep torchvision's names.
    """
    # Residual branches that begin at zero make training from scratch quicker; weights that are
    # loaded replace them.
    model = torchvision.models.resnet50(weights=None, zero_init_residual=True)
    first = model.layer4[0]
    first.conv2.stride = (1, 1)
    first.downsample[0].stride = (1, 1)
    del model.fc, model.avgpool
    return model


def stem(model: ResNet, image: torch.Tensor) -> torch.Tensor:
    """Apply what stands before layer1: (B, 3, H, W) to (B, 64, ⌈H/4⌉, ⌈W/4⌉)."""
    return model.maxpool(model.relu(model.bn1(model.conv1(image))))


def fix_batch_norm(model: nn.Module) -> None:
    """Let every batch norm use its running statistics; weight and bias stay as they are."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def load_pretrained(backbone: nn.Module, source: str) -> None:
    """Load ImageNet weights into a backbone made by `resnet50`.

    Args:
        backbone: the network to fill.
        source: `imagenet` (torchvision's IMAGENET1K_V1, downloaded once by torchvision) or a file
            with a ResNet-50 state_dict in torchvision's names.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the download fails, or the file's tensors do not fit.
    """
    if source == "imagenet":
        load_weights(backbone, _download(), source="--pretrained imagenet", ignore=("fc.",))
        return
    if not Path(source).is_file():
        raise FileNotFoundError(
            f"--pretrained {source}: no such file; accepted: imagenet, none, or a ResNet-50 file"
        )
    state = read_state_dict(source)
    load_weights(backbone, state, source=f"--pretrained {source}", ignore=("fc.",))


def _download() -> dict[str, torch.Tensor]:
    weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        raise ValueError(
            f"--pretrained imagenet: the weights could not be downloaded ({error}). Fetch "
            f"{weights.url} by other means and pass --pretrained FILE, or train from scratch with "
            "--pretrained none"
        ) from error
