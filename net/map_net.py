"""The classification network with the matrix from which --cam_method takes its maps."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import nn

from misc.files.weights import load_weights
from misc.lpcam import lpcam_maps
from misc.recam import recam_maps

Maps = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
MAPS: Mapping[str, Maps] = {"recam": recam_maps, "lpcam": lpcam_maps}


class MapNet(nn.Module):
    """A classification network beside a second matrix, (C, D, 1, 1), that its maps are made with.

    Args:
        net: has `features` and a 1×1 convolution `classifier`.
        method: a key of MAPS, by which the second matrix stands in weights files.
    """

    def __init__(self, net: Any, method: str) -> None:
        super().__init__()
        self.net, self.method = net, method
        classes, channels = net.classifier.weight.shape[:2]
        self.add_module(method, nn.Conv2d(channels, classes, 1, bias=False))

    @property
    def matrix(self) -> Any:
        """The second matrix, as a convolution."""
        return self.get_submodule(self.method)

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        """Map a normalised image and its mirror, (2, 3, H, W), to maps (C, ⌈H/16⌉, ⌈W/16⌉)."""
        find_maps = MAPS[self.method]
        return find_maps(self.net.features(pair), self.net.classifier.weight, self.matrix.weight)

    def load_published(self, state: Mapping[str, torch.Tensor], *, source: str) -> None:
        """Load weights; ValueError where they do not fit."""
        load_weights(self, state, source=source)


def map_net(net: Any, method: str) -> MapNet:
    """Build the network of a --cam_method beside a classification network."""
    return MapNet(with_features(net, method), method)


def with_features(net: Any, method: str) -> Any:
    """Return a classification network.

    Raises:
        ValueError: it has not what a --cam_method needs.
    """
    try:
        for part in ("features", "classifier.weight"):
            attrgetter(part)(net)
    except AttributeError as error:
        raise ValueError(
            f"--cam_method {method}: --cam_network {type(net).__module__}: {error}; its Net needs "
            "a method features and a 1×1 convolution classifier"
        ) from error
    return net
