"""AdvCAM: an image climbs towards a class, and its CAMs on the way are summed (METHOD section 2).

Lee, Kim and Yoon, "Anti-Adversarially Manipulated Attributions for Weakly and Semi-Supervised
Semantic Segmentation", CVPR 2021. The constants are those of its authors' program.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

STEP = 0.08  # the most that a step changes a value of a normalised image
HOLD = 7  # weight of what holds high scores where they were at first
HIGH = 0.5  # of the largest score: scores above are high
PIXELS = 2**21  # most pixels that go through the network together; in a ResNet-50 they take 2 GB


def advcam_maps(
    pair: torch.Tensor,
    classes: torch.Tensor,
    *,
    features: Callable[[torch.Tensor], torch.Tensor],
    classifier: torch.Tensor,
    iterations: int,
) -> torch.Tensor:
    """Compute the maps of an image's classes, at least 0: the sum of those of all iterations.

    Args:
        pair: float (2, 3, H, W), the normalised image and its mirror.
        classes: int64 (K,) from 0. The pair climbs towards each of them by itself.
        features: maps images (B, 3, H, W) to features (B, D, h, w), differentiable.
        classifier: W, (C, D, 1, 1).
        iterations: how many maps are summed; 1 sums none but those of the image as it is.

    Returns:
        float32 (K, h, w).
    """

    def see(pairs: torch.Tensor, part: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = F.relu(F.conv2d(features(pairs.flatten(0, 1)), classifier)).float()
        scores = scores.unflatten(0, (len(part), 2))
        return scores, class_maps(scores, classifier, part)

    def sum_maps(part: torch.Tensor) -> torch.Tensor:
        pairs = pair.repeat(len(part), 1, 1, 1, 1).requires_grad_()
        scores, maps = see(pairs, part)
        first = total = maps.detach()
        for _ in range(iterations - 1):
            pairs = climb(pairs, objective(scores, maps, first, part))
            scores, maps = see(pairs, part)
            total = total + maps.detach()
        return total

    together = max(1, PIXELS // pair[:, 0].numel())
    return torch.cat([sum_maps(part) for part in classes.split(together)])


def class_maps(
    scores: torch.Tensor, classifier: torch.Tensor, classes: torch.Tensor
) -> torch.Tensor:
    """Combine the CAMs of each pair to one map of its class, by their numbers of positive pixels.

    It is the Grad-CAM of the pair's sum of scores, which is a CAM but for these factors.

    Args:
        scores: float (K, 2, C, h, w), the CAMs of a pair for each of the classes.
        classifier: W, (C, D, 1, 1).
        classes: int64 (K,).

    Returns:
        (K, h, w). The numbers of pixels and channels have no gradient.
    """
    own = scores[torch.arange(len(classes)), :, classes]  # (K, 2, h, w)
    pixels = (own > 0).sum(dim=(2, 3), keepdim=True)
    channels = (classifier[classes] > 0).sum(dim=(1, 2, 3))[:, None, None]
    # A class that is seen nowhere, or by no channel, has a map of 0.
    weight = pixels / (pixels.sum(dim=1, keepdim=True) * channels[:, None]).clamp(min=1)
    return weight[:, 0] * own[:, 0] + weight[:, 1] * own[:, 1].flip(-1)


def objective(
    scores: torch.Tensor, maps: torch.Tensor, first: torch.Tensor, classes: torch.Tensor
) -> torch.Tensor:
    """Compute what each pair climbs, (K,): its class rises, others fall, high scores stay.

    Args:
        scores: float (K, 2, C, h, w), the CAMs.
        maps: (K, h, w), those of the classes, as `class_maps` combines them.
        first: the same of the image as it is.
        classes: int64 (K,).
    """
    logits = scores.mean(dim=(3, 4)).sum(dim=1)  # (K, C)
    own = logits[torch.arange(len(classes)), classes]
    is_high = maps > HIGH * maps.amax(dim=(1, 2), keepdim=True)
    moved = ((maps - first).abs() * is_high).sum(dim=(1, 2))
    return own - (logits.sum(dim=1) - own) - HOLD * moved


def climb(pairs: torch.Tensor, heights: torch.Tensor) -> torch.Tensor:
    """Take a step of each pair (K, 2, 3, H, W) up its objective (K,), within its range of values.

    Raises:
        ValueError: the objective has no gradient.
    """
    (slope,) = torch.autograd.grad(heights.sum(), pairs, allow_unused=True)
    if slope is None:
        raise ValueError(
            "--cam_method advcam: --cam_network: no gradient of its features reaches the image, "
            "which a Net that is made with train_whole=True needs"
        )
    pairs, values = pairs.detach(), (1, 2, 3, 4)
    steepest = slope.abs().amax(values, keepdim=True)
    moved = pairs + STEP * slope / (steepest + 1e-12)
    low, high = pairs.amin(values, keepdim=True), pairs.amax(values, keepdim=True)
    return moved.clamp(low, high).requires_grad_()
