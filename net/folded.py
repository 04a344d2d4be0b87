"""Batch norm with fixed statistics, folded into the convolution before it.

Such a batch norm is a factor and a summand for each channel; both fit into the convolution's weight
and bias, which saves a pass over its output. Names and values in a state_dict stay as they are.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FrozenBatchNorm2d


def fold_batch_norm(model: nn.Module) -> None:
    """Let every convolution of a network apply the batch norm that follows it, in place.

    It is folded while its statistics are fixed (frozen, or in eval mode), for training too:
    gradients reach weights, factors and summands. Live batch norm stays as it is. Without gradients
    the folded weights are kept until a weight is changed in place, as optimisers and
    `load_state_dict` do; torchvision's residual blocks then apply ReLU and sum in the convolution.
    """
    for module in list(model.modules()):
        for (_, conv), (name, norm) in pairwise(list(module.named_children())):
            if type(conv) is nn.Conv2d and type(norm) in _NORMS:
                norm.__class__ = _NORMS[type(norm)]
                conv.__class__ = FoldedConv2d
                # A tuple, so that the parent is no part of its child.
                conv.followed_by = (module, name)  # type: ignore[assignment]
        if type(module) in _BLOCKS:
            module.__class__ = _BLOCKS[type(module)]  # type: ignore[assignment]


class FoldedConv2d(nn.Conv2d):
    """A convolution that applies the batch norm after it."""

    followed_by: tuple[nn.Module, str]
    _kept: tuple[Any, torch.Tensor, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C', h, w)."""
        weight, bias = self.folded()
        return self._conv_forward(x, weight, bias)

    def is_folded(self) -> bool:
        """Return whether the batch norm's statistics are fixed."""
        norm = self._norm()
        return isinstance(norm, FoldedNorm) and norm.is_fixed()

    def folded(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return weight and bias, with the batch norm in them if its statistics are fixed."""
        if not self.is_folded():
            return self.weight, self.bias
        norm = self._norm()
        learnt = (self.weight, norm.weight, norm.bias)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in learnt):
            return self._fold(norm)
        made_of = (*learnt, norm.running_mean, norm.running_var)
        key = [(t.device, t.dtype, 0 if t.is_inference() else t._version) for t in made_of]
        if self._kept is None or self._kept[0] != key:
            # Made in inference mode, it could not be used outside.
            with torch.inference_mode(False), torch.no_grad():
                self._kept = (key, *self._fold(norm))
        return self._kept[1:]

    def _fold(self, norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return self.weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale

    def _norm(self) -> Any:
        # Asked of its parent each time: ranks put another kind of live batch norm in its place.
        parent, name = self.followed_by
        return parent.get_submodule(name)

    def fused(self, x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        """Return ReLU of the convolution, plus `add` before it where given; see `fuses`."""
        weight, bias = self.folded()
        how = (self.padding, self.stride, self.dilation, self.groups)
        if add is None:
            return _convolution()(x, weight, bias, *how, "relu", [], "")
        sum_of: tuple[Any, ...] = (x, add, weight, bias, *how, "add", 1.0, "relu", [], None)
        return _convolution().binary(*sum_of)


def _convolution() -> Any:
    # What torch's own compiler calls; not documented, but there since torch 2.0.
    return torch.ops.mkldnn._convolution_pointwise


def fuses(x: torch.Tensor) -> bool:
    """Return whether oneDNN can apply what follows a convolution of `x`: on a CPU, in float32."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))
        and torch.backends.mkldnn.is_available()
    )


class FoldedNorm:
    """A batch norm that does nothing while the convolution before it does its work."""

    def is_fixed(self: Any) -> bool:
        """Return whether its statistics are fixed."""
        return isinstance(self, FrozenBatchNorm2d) or not self.training

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        return x if self.is_fixed() else super().forward(x)  # type: ignore[misc]


class _BatchNorm(FoldedNorm, nn.BatchNorm2d):
    pass


class _FrozenBatchNorm(FoldedNorm, FrozenBatchNorm2d):
    pass


class FoldedBlock:
    """A residual block whose convolutions apply ReLU and the sum, too, where they can."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C', h, w)."""
        *convs, last = [part for name, part in self.named_children() if name.startswith("conv")]
        if not (fuses(x) and last.is_folded()):
            return super().forward(x)  # type: ignore[misc]
        shortcut = x if self.downsample is None else self.downsample(x)
        for conv in convs:
            x = conv.fused(x)
        return last.fused(x, add=shortcut)


class _BasicBlock(FoldedBlock, BasicBlock):
    pass


class _Bottleneck(FoldedBlock, Bottleneck):
    pass


_NORMS = {nn.BatchNorm2d: _BatchNorm, FrozenBatchNorm2d: _FrozenBatchNorm}
_BLOCKS = {BasicBlock: _BasicBlock, Bottleneck: _Bottleneck}
