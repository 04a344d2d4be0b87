"""Distributed training of networks: averaged gradients, and batch norm over all GPUs."""

import warnings

from torch import nn

from misc.machine import ranks


def distributed(module: nn.Module) -> nn.Module:
    """Average a module's gradients over the ranks; return the wrapped module to call instead.

    Live batch norm uses the images of all ranks on GPUs; torch has that for GPUs only.
    """
    if ranks.world_size() == 1:
        return module
    on_gpu = any(parameter.is_cuda for parameter in module.parameters())
    is_live = False
    for parent in list(module.modules()):
        for name, part in parent.named_children():
            # One that is frozen with its backbone stays what it is.
            if isinstance(part, nn.BatchNorm2d) and all(p.requires_grad for p in part.parameters()):
                is_live = True
                if on_gpu:
                    setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(part))
    if is_live and not on_gpu and ranks.is_first():
        warnings.warn(
            f"live batch norm in {ranks.world_size()} processes on CPUs: each normalises by its "
            "own images alone",
            stacklevel=2,
        )
    return nn.parallel.DistributedDataParallel(module)
