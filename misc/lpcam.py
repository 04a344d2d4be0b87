"""LPCAM: maps of a class's local prototypes in place of its classifier (METHOD section 2).

Chen and Sun, "Extracting Class Activation Maps from Non-Discriminative Features as well", CVPR
2023.
"""

import numpy as np
import torch
import torch.nn.functional as F

MOST_ROUNDS = 100  # of k-means
SURE = 0.9  # probability of a class above which a cluster is its prototype


def lpcam_maps(
    features: torch.Tensor, _classifier: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Compute the maps of an image, at least 0: the mean cosines to prototypes, less context's.

    Args:
        features: float (2, D, h, w), those of the image and of its mirror.
        weight: V, (C, D, 1, 1), of `prototype_weight`.

    Returns:
        (C, h, w).
    """
    both = features[0] + features[1].flip(-1)
    return F.relu(F.conv2d(F.normalize(both[None], dim=1), weight))[0]


def split_features(
    features: torch.Tensor, cam: torch.Tensor, threshold: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Split an image's features (D, h, w) by a class's CAM (H, W) in [0, 1].

    Returns:
        (N, D) where the CAM is above the threshold, and (M, D) of the context, where it is below.
    """
    small = F.interpolate(cam[None, None], features.shape[1:], mode="nearest-exact").flatten()
    vectors = features.flatten(1).T
    return vectors[small > threshold], vectors[small < threshold]


def cluster(vectors: torch.Tensor, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Compute the centres, (≤ count, D), of k-means of vectors (N, D) by their cosine.

    A centre is the mean of its vectors, which keep their lengths.
    """
    centres = vectors[torch.from_numpy(rng.permutation(len(vectors))[:count])]
    unit, before = F.normalize(vectors, dim=1), None
    for _ in range(MOST_ROUNDS if len(vectors) > count else 0):
        nearest = (unit @ F.normalize(centres, dim=1).T).argmax(dim=1)
        if before is not None and torch.equal(nearest, before):
            break
        before, members = nearest, F.one_hot(nearest, len(centres)).to(vectors)
        sizes = members.sum(dim=0)[:, None]
        # A cluster that has lost all its vectors keeps its centre.
        centres = torch.where(sizes > 0, members.T @ vectors / sizes.clamp(min=1), centres)
    return centres


def prototype_weight(
    foreground: torch.Tensor,
    context: torch.Tensor,
    classifier: torch.Tensor,
    label: int,
    *,
    between: tuple[float, ...],
) -> torch.Tensor:
    """Compute a class's V, (D,): the mean unit prototype, less that of its context.

    Args:
        foreground: centres (N, D) of the class's features; without any its classifier stands for
            them.
        context: centres (M, D) of the features around the class.
        classifier: W, (C, D).
        label: the class.
        between: a context centre is a prototype if its probability of the class, by W, is between
            these. Of the foreground those above SURE are, or else the most probable one.
    """

    def probability(centres: torch.Tensor) -> torch.Tensor:
        return (centres @ classifier.T).softmax(dim=1)[:, label]

    if not len(foreground):
        return F.normalize(classifier[label], dim=0)
    found = probability(foreground)
    stays = found > SURE if (found > SURE).any() else found == found.max()
    weight = F.normalize(foreground[stays], dim=1).mean(dim=0)
    found = probability(context)
    stays = (found > between[0]) & (found < between[1])
    if stays.any():
        weight = weight - F.normalize(context[stays], dim=1).mean(dim=0)
    return weight
