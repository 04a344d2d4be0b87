"""Which of torchvision's ResNets the weights in a file are of, told by names and shapes."""

from collections.abc import Mapping
from functools import cache

import torch
import torchvision

from misc.settings.rules import BACKBONES

Shapes = dict[str, tuple[int, ...]]

_FIRST = "layer1.0.conv1.weight"


def backbone_of(state: Mapping[str, torch.Tensor]) -> str | None:
    """Return the name of the backbone whose weights are in a state_dict, under any prefix.

    None where there is none, or none that --backbone takes.
    """
    prefix = next((name.removesuffix(_FIRST) for name in state if name.endswith(_FIRST)), None)
    if prefix is None:
        return None
    found = _layers({n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)})
    return next((name for name in BACKBONES if found == _known(name)), None)


@cache
def _known(name: str) -> Shapes:
    with torch.device("meta"):
        return _layers(torchvision.models.get_model(name, weights=None).state_dict())


def _layers(state: Mapping[str, torch.Tensor]) -> Shapes:
    """Return the shapes of the residual layers' tensors; batch norm's step counters are unused."""
    return {
        name: tuple(tensor.shape)
        for name, tensor in state.items()
        if name.startswith("layer") and not name.endswith("num_batches_tracked")
    }
