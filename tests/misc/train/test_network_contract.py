import sys
from types import ModuleType

import pytest

from misc.indexing import PathIndex
from misc.train.networks import make_network
from tests import plain_networks

PATHS = PathIndex(5, (16, 16))


def plugged(monkeypatch, **changes):
    """Plug in the plain networks with some of their names changed."""
    module = ModuleType("plugged")
    vars(module).update(vars(plain_networks) | changes)
    monkeypatch.setitem(sys.modules, "plugged", module)


def test_an_argument_that_a_class_does_not_take_is_named(monkeypatch):
    class Net(plain_networks.Net):
        def __init__(self, num_classes, *, backbone):
            super().__init__(num_classes, train_whole=False, backbone=backbone)

    plugged(monkeypatch, Net=Net)
    with pytest.raises(ValueError, match=r"--cam_network plugged: .*'train_whole'"):
        make_network("cam_network", "plugged", "Net", 20, train_whole=True, backbone="")


@pytest.mark.parametrize("part", ["resnet50", "mean_shift", "trainable_parameters"])
def test_what_a_network_lacks_is_named(monkeypatch, part):
    class Bare(plain_networks.AffinityDisplacementLoss):
        def __getattr__(self, name):
            if name == part:
                raise AttributeError(f"no {name}")
            return super().__getattr__(name)

    if part == "trainable_parameters":
        Bare.trainable_parameters = property(lambda self: self.__getattr__("trainable_parameters"))
    plugged(monkeypatch, AffinityDisplacementLoss=Bare)
    with pytest.raises(ValueError, match=f"--irn_network plugged: .*{part}"):
        make_network("irn_network", "plugged", "AffinityDisplacementLoss", PATHS, backbone="")
