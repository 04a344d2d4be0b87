"""The four losses of IRNet, forward and backward, against the published method."""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from benchmarks.harness import Row, in_fresh_process, interleaved, peak_memory
from misc.affinity import affinity_displacement_losses, total_loss
from misc.indexing import pair_offsets, path_pixels

SIZE = 128  # the stride-4 grid of a 512 crop
RADIUS = 10
EPSILON = 1e-5

Terms = dict[str, torch.Tensor]


class PublishedLoss:
    """The published method: every pixel of every path gathered through index tensors."""

    def __init__(self, height: int, width: int, radius: int) -> None:
        self.offsets = sorted(pair_offsets(radius), key=lambda offset: len(path_pixels(*offset)))
        rows = np.arange(height - radius + 1)[:, None]
        columns = np.arange(radius - 1, width - radius + 1)
        self.source = (rows * width + columns).reshape(-1)
        by_length: dict[int, list[np.ndarray]] = {}
        for dy, dx in self.offsets:
            steps = np.array([y * width + x for y, x in path_pixels(dy, dx)])
            by_length.setdefault(len(steps), []).append(steps[:, None] + self.source)
        self.paths = [torch.from_numpy(np.stack(group)) for group in by_length.values()]
        self.target = np.stack([self.source + dy * width + dx for dy, dx in self.offsets])
        offsets = torch.tensor(self.offsets)
        self.offset_grid = offsets.T.reshape(1, 2, len(self.offsets), 1)

    def pair_labels(self, label: np.ndarray) -> list[torch.Tensor]:
        """Return background-positive, foreground-positive and negative maps (P, N), as a loader."""
        flat = label.reshape(-1)
        source = np.broadcast_to(flat[self.source], self.target.shape)
        target = flat[self.target]
        valid = (source < 255) & (target < 255)
        equal = (source == target) & valid
        kinds = (equal & (source == 0), equal & (source > 0), valid & (source != target))
        return [torch.from_numpy(kind.astype(np.float32))[None] for kind in kinds]

    def affinity(self, boundary: torch.Tensor) -> torch.Tensor:
        """Return 1 minus the largest boundary on each path: boundary (B, h, w) to (B, P, N)."""
        flat = boundary.flatten(1)
        affinities = []
        for paths in self.paths:
            values = flat.index_select(1, paths.flatten())
            values = values.view(flat.shape[0], *paths.shape)
            largest = torch.nn.functional.max_pool2d(values, (values.shape[2], 1))
            affinities.append(1 - largest.squeeze(2))
        return torch.cat(affinities, dim=1)

    def displacement_pairs(self, displacement: torch.Tensor) -> torch.Tensor:
        """Return D(src) - D(dst): displacement (B, 2, h, w) to (B, 2, P, N)."""
        flat = displacement.flatten(2)
        source = flat.index_select(2, torch.from_numpy(self.source))
        target = flat.index_select(2, torch.from_numpy(self.target).flatten())
        return source[:, :, None] - target.view(*flat.shape[:2], *self.target.shape)

    def __call__(
        self, logit: torch.Tensor, displacement: torch.Tensor, *, pair_labels: list[torch.Tensor]
    ) -> Terms:
        """Return the four terms of one image."""
        background, foreground, negative = pair_labels
        affinity = self.affinity(logit.sigmoid())
        pairs = self.displacement_pairs(displacement)
        n_background, n_foreground, n_negative = (kind.sum() for kind in pair_labels)
        positive = -torch.log(affinity + EPSILON)
        pos_background = (background * positive).sum() / (n_background + EPSILON)
        pos_foreground = (foreground * positive).sum() / (n_foreground + EPSILON)
        neg = (-torch.log(1 + EPSILON - affinity) * negative).sum() / (n_negative + EPSILON)
        dp_foreground = (pairs - self.offset_grid).abs() * foreground[:, None]
        dp_background = pairs.abs() * background[:, None]
        return {
            "pos": pos_background / 2 + pos_foreground / 2,
            "neg": neg,
            "dp_fg": dp_foreground.sum() / (2 * n_foreground + EPSILON),
            "dp_bg": dp_background.sum() / (2 * n_background + EPSILON),
        }


def _inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Make a smooth boundary logit and displacement with noise, two objects with ignored rims."""
    generator = torch.Generator().manual_seed(0)
    smooth = torch.randn(1, 3, SIZE // 8, SIZE // 8, generator=generator) * 3
    smooth = torch.nn.functional.interpolate(smooth, size=(SIZE, SIZE), mode="bilinear")
    noisy = smooth + 0.3 * torch.randn(1, 3, SIZE, SIZE, generator=generator)
    label = torch.zeros(1, SIZE, SIZE, dtype=torch.int64)
    for value, top, left, bottom, right in ((3, 20, 30, 90, 80), (7, 60, 70, 120, 110)):
        label[:, top - 2 : bottom + 2, left - 2 : right + 2] = 255
        label[:, top:bottom, left:right] = value
    return noisy[:, :1].clone(), noisy[:, 1:].clone(), label


def _step(
    losses: Callable[[torch.Tensor, torch.Tensor], Terms],
    logit: torch.Tensor,
    displacement: torch.Tensor,
) -> list[torch.Tensor]:
    """Return the four terms and the gradients of their total for logit and displacement."""
    inputs = (logit.detach().requires_grad_(), displacement.detach().requires_grad_())
    terms = losses(*inputs)
    gradients = torch.autograd.grad(total_loss(terms), inputs)
    return [torch.stack(list(terms.values())).detach(), *gradients]


def _largest_error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return ((found - exact).abs().max() / exact.abs().max()).item()


def rows(*, full: bool = False) -> list[Row]:
    """Measure time, error and peak memory of the losses of one 512 crop, forward and backward."""
    logit, displacement, label = _inputs()
    published = PublishedLoss(SIZE, SIZE, RADIUS)
    pair_labels = published.pair_labels(label.numpy())
    step_published = partial(_step, partial(published, pair_labels=pair_labels))
    step_ours = partial(_step, partial(affinity_displacement_losses, label=label, radius=RADIUS))

    exact = step_published(logit.double(), displacement.double())
    errors = [
        _largest_error(found, value)
        for found, value in zip(step_ours(logit, displacement), exact, strict=True)
    ]
    published_seconds, label_seconds, seconds = interleaved(
        lambda: step_published(logit, displacement),
        lambda: published.pair_labels(label.numpy()),
        lambda: step_ours(logit, displacement),
        repeats=21 if full else 7,
    )
    peak, published_peak = (
        float(in_fresh_process("benchmarks.bench_loss", way)) for way in ("ours", "published")
    )
    faster = published_seconds >= 4 * seconds
    return [
        Row(
            what="IRNet losses, radius 10, one 512 crop, forward and backward",
            goal="4 times faster in a quarter of the memory, gradients to 1e-4",
            met=faster and published_peak >= 4 * peak and max(errors) <= 1e-4,
            published_seconds=published_seconds,
            seconds=seconds,
            error=max(errors),
            peak_mb=peak,
            note=f"published peak {published_peak:.0f} MB; its pair labels, made in the loader, "
            f"take {1000 * label_seconds:.0f} ms more, ours are in our time",
            extra={
                "terms_error": errors[0],
                "boundary_gradient_error": errors[1],
                "displacement_gradient_error": errors[2],
                "published_peak_mb": published_peak,
                "published_label_seconds": label_seconds,
            },
        )
    ]


def _peak_mb(way: str) -> float:
    """Measure the peak memory of one step with the given method, all it builds included."""
    logit, displacement, label = _inputs()
    torch.autograd.grad(logit.requires_grad_().sigmoid().sum(), logit)  # loads autograd
    with peak_memory() as peak:
        if way == "published":
            published = PublishedLoss(SIZE, SIZE, RADIUS)
            pair_labels = published.pair_labels(label.numpy())
            _step(partial(published, pair_labels=pair_labels), logit, displacement)
        else:
            losses = partial(affinity_displacement_losses, label=label, radius=RADIUS)
            _step(losses, logit, displacement)
    return peak["mb"]


if __name__ == "__main__":
    print(_peak_mb(sys.argv[1]))
