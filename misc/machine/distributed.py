"""Distributed training of networks: averaged gradients, and batch norm over all ranks."""

from typing import Any

import torch
from torch import nn

from misc.machine import ranks


def distributed(module: nn.Module) -> nn.Module:
    """Average a module's gradients over the ranks; return the wrapped module to call instead."""
    if ranks.world_size() == 1:
        return module
    for part in module.modules():
        # One that is frozen with its backbone is never live.
        if isinstance(part, nn.BatchNorm2d) and all(p.requires_grad for p in part.parameters()):
            # The same parameters and buffers, which the optimiser already has.
            part.__class__ = SharedBatchNorm
    return nn.parallel.DistributedDataParallel(module)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the images of all ranks, whose numbers may differ and be 0.

    torch's SyncBatchNorm is for GPUs only.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        pixels = values.new_tensor([float(x.numel() // x.shape[1])])
        count = ranks.mean_count(pixels)
        part = ranks.counted(pixels) / count
        average = _Mean.apply(values.mean(dim=(0, 2, 3)) * part)
        centred = values - average[:, None, None]
        variance = _Mean.apply((centred**2).mean(dim=(0, 2, 3)) * part)
        self._remember(average.detach(), variance.detach(), count * ranks.world_size())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, average: torch.Tensor, variance: torch.Tensor, count: torch.Tensor) -> None:
        momentum = self.momentum or 0.0
        unbiased = variance * (count / (count - 1).clamp(min=1))
        for running, new in ((self.running_mean, average), (self.running_var, unbiased)):
            if running is not None:
                running.lerp_(new, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return ranks.mean(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return ranks.mean(gradient)
