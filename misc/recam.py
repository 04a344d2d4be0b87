"""ReCAM: a second classifier of single classes sharpens the maps (METHOD section 2).

Chen et al., "Class Re-Activation Maps for Weakly-Supervised Semantic Segmentation", CVPR 2022.
"""

import torch
import torch.nn.functional as F


def recam_maps(
    features: torch.Tensor, classifier: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Compute the maps of an image, at least 0: CAMs of the product of both classifiers.

    Args:
        features: float (2, D, h, w), those of the image and of its mirror.
        classifier: W, (C, D, 1, 1).
        weight: U, (C, D, 1, 1); of ones it gives plain CAMs.

    Returns:
        (C, h, w), the sum of both maps, the second flipped back.
    """
    maps = F.relu(F.conv2d(features, classifier * weight))
    return maps[0] + maps[1].flip(-1)


def class_features(features: torch.Tensor, classifier: torch.Tensor) -> torch.Tensor:
    """Average features (B, D, h, w) under the CAM of each class: (B, C, D)."""
    maps = F.relu(F.conv2d(features, classifier))
    maps = maps / (maps.amax(dim=(2, 3), keepdim=True) + 1e-5)
    return torch.einsum("bchw,bdhw->bcd", maps, features) / maps[0, 0].numel()


def recam_loss(
    features: torch.Tensor, classifier: torch.Tensor, weight: torch.Tensor, label: torch.Tensor
) -> torch.Tensor:
    """Compute the cross entropy of U on each present class's features, mean over the images.

    Args:
        features: float (B, D, h, w).
        classifier: W, (C, D, 1, 1).
        weight: U, (C, D, 1, 1).
        label: float (B, C) of 0 and 1. An image without a class adds 0.
    """
    logit = class_features(features, classifier) @ weight.flatten(1).T
    own = -logit.float().log_softmax(dim=2).diagonal(dim1=1, dim2=2)
    return ((own * label).sum(dim=1) / label.sum(dim=1).clamp(min=1)).mean()
