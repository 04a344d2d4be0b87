"""IRNet's losses on pairs of neighbouring pixels.

A sum over some two million pairs an image becomes a sum over pixels. Every affinity term is a
function of one boundary value, that of the largest pixel on the pair's path, so it is enough to
count, for each pixel, the pairs it decides. Every displacement term is linear in the displacement
but for its sign, so it is enough to add up the signs at each pixel. Both are constant around the
given input: autograd on the small weighted sums gives the exact gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from misc.indexing import pair_offsets, path_maxima

IGNORE_LABEL = 255
EPSILON = 1e-5  # inside the logarithms and under the divisions, as published
LOSS_WEIGHTS = {"pos": 0.5, "neg": 0.5, "dp_fg": 0.5, "dp_bg": 0.5}

# Kinds of pairs. Halved, the positive ones are 1 and the others 0.
NEGATIVE, IGNORED, BACKGROUND, FOREGROUND = range(4)
KINDS = 4


@dataclass(frozen=True, kw_only=True)
class PairSums:
    """Losses summed over the pairs of a batch, and how many pairs there are of each kind.

    sums (5,) float32: affinity over background-positive, foreground-positive and negative pairs,
    displacement over foreground-positive and background-positive pairs.
    counts (3,) float32: background-positive, foreground-positive and negative pairs.
    """

    sums: torch.Tensor
    counts: torch.Tensor


def affinity_displacement_losses(
    edge_logit: torch.Tensor,
    displacement: torch.Tensor,
    label: torch.Tensor,
    *,
    radius: int = 10,
    reduce_counts: Callable[[torch.Tensor], torch.Tensor] = lambda counts: counts,
) -> dict[str, torch.Tensor]:
    """Compute the four terms of IRNet's loss over a batch: scalars pos, neg, dp_fg and dp_bg.

    edge_logit (B, 1, h, w) or (B, h, w) and displacement (B, 2, h, w), dy then dx in stride-4
    pixels, any float dtype, computed in float32. label (B, h, w) integer: 0 background, class + 1,
    255 ignored. A pair's affinity a is 1 minus the largest sigmoid(edge_logit) on its path:
    pos = ½ mean over background pairs of -log a + ½ mean over foreground pairs of -log a,
    neg = mean over negative pairs of -log(1 - a), dp_fg = mean over foreground pairs of
    |D(src) - D(dst) - (dst - src)|, dp_bg = mean over background pairs of |D(src) - D(dst)|, both
    over the two channels too. A term without any pair is 0.

    reduce_counts takes and returns the (3,) pair counts. Where ranks average their gradients, let
    it return the mean over the ranks: the step then equals that of a single rank.
    """
    pairs = pair_sums(edge_logit, displacement, label, radius=radius)
    return mean_terms(pairs.sums, reduce_counts(pairs.counts))


def mean_terms(sums: torch.Tensor, counts: torch.Tensor) -> dict[str, torch.Tensor]:
    """Divide the sums of PairSums by their pair counts into pos, neg, dp_fg and dp_bg."""
    background, foreground, negative, dp_foreground, dp_background = sums
    n_background, n_foreground, n_negative = counts
    return {
        "pos": 0.5 * background / (n_background + EPSILON)
        + 0.5 * foreground / (n_foreground + EPSILON),
        "neg": negative / (n_negative + EPSILON),
        "dp_fg": dp_foreground / (2 * n_foreground + EPSILON),
        "dp_bg": dp_background / (2 * n_background + EPSILON),
    }


def total_loss(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the loss that is minimised: half of pos + neg plus half of dp_fg + dp_bg."""
    return torch.stack([weight * terms[name] for name, weight in LOSS_WEIGHTS.items()]).sum()


def pair_sums(
    edge_logit: torch.Tensor, displacement: torch.Tensor, label: torch.Tensor, *, radius: int
) -> PairSums:
    """Sum the four losses over the pairs of a batch; shapes as affinity_displacement_losses."""
    boundary = edge_logit.float().reshape(label.shape).sigmoid()
    displacement = displacement.float()
    foreground = (label > 0) & (label != IGNORE_LABEL)

    # One image's maps fit a CPU's caches; a GPU is fastest on the whole batch.
    images_at_once = 1 if label.device.type == "cpu" else max(1, len(label))
    parts = [
        _pixel_weights(*images, radius=radius)
        for images in zip(
            boundary.detach().split(images_at_once),
            displacement.detach().split(images_at_once),
            label.split(images_at_once),
            foreground.split(images_at_once),
            strict=True,
        )
    ]
    decided = torch.cat([part[0] for part in parts], dim=1)
    signs = torch.cat([part[1] for part in parts])

    weights = decided.to(boundary.dtype)
    positive_loss = -torch.log(1 - boundary + EPSILON)
    negative_loss = -torch.log(boundary + EPSILON)
    # D(src) - D(dst) - offset is the difference of the two centres that the pixels point to.
    centre = displacement + _coordinates(label)
    sums = [
        (weights[BACKGROUND] * positive_loss).sum(),
        (weights[FOREGROUND] * positive_loss).sum(),
        (weights[NEGATIVE] * negative_loss).sum(),
        (signs * centre * foreground[:, None]).sum(),
        (signs * displacement * ~foreground[:, None]).sum(),
    ]
    counts = decided.sum(dim=(1, 2, 3))[[BACKGROUND, FOREGROUND, NEGATIVE]]
    return PairSums(sums=torch.stack(sums), counts=counts.to(boundary.dtype))


def count_pairs(label: torch.Tensor, *, radius: int) -> torch.Tensor:
    """Count the pairs of a batch as PairSums.counts; label as affinity_displacement_losses."""
    counts = torch.bincount(pair_kinds(label, radius=radius).flatten(), minlength=KINDS)
    return counts[[BACKGROUND, FOREGROUND, NEGATIVE]].float()


def _pixel_weights(
    boundary: torch.Tensor,
    displacement: torch.Tensor,
    label: torch.Tensor,
    foreground: torch.Tensor,
    *,
    radius: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The results of decided_pairs and displacement_signs."""
    kinds = pair_kinds(label, radius=radius)
    decided = decided_pairs(boundary, kinds, radius=radius)
    return decided, displacement_signs(displacement, foreground, kinds, radius=radius)


def pair_kinds(label: torch.Tensor, *, radius: int) -> torch.Tensor:
    """Return what each pair is: NEGATIVE, IGNORED, BACKGROUND or FOREGROUND (both positive).

    label (B, h, w). Returns (P, B, rows, columns) uint8, offsets and sources as in path_maxima.
    """
    is_ignored = label == IGNORE_LABEL
    if_same = torch.where(label > 0, FOREGROUND, BACKGROUND).masked_fill(is_ignored, IGNORED)
    source, targets = _pair_ends(label, radius)
    source_if_same, _ = _pair_ends(if_same.to(torch.uint8), radius)
    source_ignored, targets_ignored = _pair_ends(is_ignored.to(torch.uint8) * IGNORED, radius)
    kinds = []
    for target, target_ignored in zip(targets, targets_ignored, strict=True):
        kind = (source == target).view(torch.uint8) * source_if_same
        kinds.append(torch.maximum(torch.maximum(kind, source_ignored), target_ignored))
    return torch.stack(kinds)


def decided_pairs(boundary: torch.Tensor, kinds: torch.Tensor, *, radius: int) -> torch.Tensor:
    """Count the pairs of each kind that have the largest boundary of their path at each pixel.

    boundary (B, h, w), kinds as pair_kinds. Returns (4, B, h, w) int64, by kind. One pixel
    decides a pair: a tie has one winner.
    """
    # Ranks in place of values, so that the maximum tells which pixel it is.
    pixel_of_rank = boundary.flatten().argsort(stable=True)
    rank = torch.empty_like(pixel_of_rank, dtype=torch.int32)
    rank[pixel_of_rank] = torch.arange(len(rank), dtype=rank.dtype, device=rank.device)
    bins = torch.stack(path_maxima(rank.view(boundary.shape) * KINDS, radius)).add_(kinds)
    by_rank = torch.bincount(bins.flatten(), minlength=KINDS * len(rank)).view(-1, KINDS)
    by_pixel = torch.empty_like(by_rank)
    by_pixel[pixel_of_rank] = by_rank
    return by_pixel.T.reshape(KINDS, *boundary.shape)


def displacement_signs(
    displacement: torch.Tensor, foreground: torch.Tensor, kinds: torch.Tensor, *, radius: int
) -> torch.Tensor:
    """Compute the gradient of the displacement losses, summed over all positive pairs.

    displacement (B, 2, h, w), foreground (B, h, w) bool, kinds as pair_kinds. Returns (B, 2, h, w),
    not yet divided: a pair adds the sign of D(src) - D(dst), minus its offset if foreground, at its
    source and subtracts it at its target.
    """
    signs = torch.zeros_like(displacement)
    at_source, at_targets = _pair_ends(signs, radius)
    source, targets = _pair_ends(displacement, radius)
    source_foreground, _ = _pair_ends(foreground.to(displacement.dtype), radius)
    for (dy, dx), target, at_target, kind in zip(
        pair_offsets(radius), targets, at_targets, kinds, strict=True
    ):
        difference = source - target
        difference[:, 0].sub_(source_foreground, alpha=dy)
        difference[:, 1].sub_(source_foreground, alpha=dx)
        positive = (kind >> 1).to(difference.dtype)
        sign = difference.sign_().mul_(positive[:, None])
        at_source += sign
        at_target -= sign
    return signs


def _pair_ends(grid: torch.Tensor, radius: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return views of a grid (..., h, w) at the sources, and at the targets of every offset."""
    rows = max(0, grid.shape[-2] - radius + 1)
    columns = max(0, grid.shape[-1] - 2 * (radius - 1))

    def window(dy: int, dx: int) -> torch.Tensor:
        left = radius - 1 + dx
        return grid[..., dy : dy + rows, left : left + columns]

    return window(0, 0), [window(dy, dx) for dy, dx in pair_offsets(radius)]


def _coordinates(label: torch.Tensor) -> torch.Tensor:
    """Return row and column of every pixel of a (B, h, w) map: (2, h, w) float32."""
    height, width = label.shape[-2:]
    row = torch.arange(height, device=label.device, dtype=torch.float32)
    column = torch.arange(width, device=label.device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(row, column, indexing="ij"))
