"""Scores out of an image's CAMs and IRNet's fields: the split into instances, and the walk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from misc.centroids import cluster_centroids, find_centroids
from misc.imutils import normalize, with_mirror
from misc.indexing import propagate_to_edge
from misc.machine.device import Compute
from misc.settings.config import Config


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The propagation of scores up to the boundaries.

    Attributes:
        on: False leaves the scores as they are, whatever the boundaries.
        radius: pairs of pixels that are nearer than this are linked, stride-4 pixels.
        beta: power of the affinities.
        exp_times: the walk takes 2 to this power steps.
    """

    on: bool
    radius: int
    beta: float
    exp_times: int

    def __call__(self, scores: torch.Tensor, boundary: torch.Tensor) -> np.ndarray:
        """Propagate scores (K, h, w) or (K, n, h, w): float32 (K·n, 1, h, w)."""
        if not self.on:
            return scores.flatten(0, -3).unsqueeze(1).cpu().numpy()
        walked = propagate_to_edge(scores, boundary, self.radius, self.beta, self.exp_times)
        return walked.cpu().numpy()


@dataclass(frozen=True, kw_only=True)
class Split:
    """The assignment of an image's pixels to instances.

    Attributes:
        on: False makes all of the image one instance.
        small_displacement: length in stride-4 pixels below which a displacement is small.
    """

    on: bool
    small_displacement: float

    def __call__(self, displacement: np.ndarray) -> np.ndarray:
        """Assign each pixel to an instance: int32 (h, w) of a field (2, h, w)."""
        if not self.on:
            return np.zeros(displacement.shape[1:], np.int32)
        centroids = find_centroids(displacement)
        return cluster_centroids(centroids, displacement, threshold=self.small_displacement)


def apply_irnet(
    model: Any, compute: Compute, image: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply IRNet to an image, uint8 (3, H, W): boundary (1, h, w), displacement (2, h, w)."""
    pair = with_mirror(normalize(compute.put(image)))
    with torch.inference_mode(), compute.autocast():
        boundary, displacement = model(pair)
    return boundary, displacement


def owners_of(walked: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the class of each of an image's propagated maps (K·n, 1, h, w): int64 (K·n,)."""
    return np.repeat(keys, len(walked) // max(len(keys), 1))


def walk_of(config: Config) -> Walk:
    """Return the propagation that the flags ask for."""
    return Walk(
        on=config.walk,
        radius=config.walk_radius,
        beta=config.beta,
        exp_times=config.exp_times,
    )


def split_of(config: Config) -> Split:
    """Return the split into instances that the flags ask for."""
    return Split(on=config.ins_seg_split, small_displacement=config.small_displacement)
