import sys
from types import ModuleType

import pytest
import torch

from misc.indexing import PathIndex
from misc.settings.config import Config
from misc.train.networks import make_network
from net.build import pretrained_from
from tests import plain_networks, tiny_networks

PATHS = PathIndex(5, (16, 16))


def plugged(monkeypatch, **changes):
    """Plug in the plain networks with some of their names changed; None takes one away."""
    module = ModuleType("plugged")
    vars(module).update({n: v for n, v in (vars(plain_networks) | changes).items() if v})
    monkeypatch.setitem(sys.modules, "plugged", module)


@pytest.mark.parametrize(
    ("flag", "form", "first"),
    [
        ("cam", "Net", [20]),
        ("cam", "CAM", [20]),
        ("irn", "AffinityDisplacementLoss", [PATHS]),
        ("irn", "EdgeDisplacement", []),
    ],
)
def test_the_networks_of_net_have_what_stages_use(flag, form, first):
    module = f"net.resnet50_{flag}"
    with torch.device("meta"):
        assert make_network(f"{flag}_network", module, form, *first, backbone="resnet18")


def test_a_module_that_cannot_be_imported_is_named():
    with pytest.raises(ValueError, match=r"--cam_network no\.such: No module named 'no"):
        make_network("cam_network", "no.such", "Net", 20)


def test_a_class_that_a_module_lacks_is_named(monkeypatch):
    plugged(monkeypatch, CAM=None)
    with pytest.raises(ValueError, match=r"--cam_network plugged: .*no attribute 'CAM'; docs/ARCH"):
        make_network("cam_network", "plugged", "CAM", 20, backbone="")


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


def test_a_backbone_that_the_cam_network_cannot_fill_says_what_to_do(tmp_path):
    path = tmp_path / "cam.pth"
    network = plain_networks.Net(3, train_whole=True, backbone="")
    torch.save(network.state_dict(), path)
    config = Config(
        pretrained="none",
        backbone="resnet18",
        cam_network="tests.plain_networks",
        cam_weights_name=str(path),
    )
    with pytest.raises(ValueError, match="these weights are of another network") as raised:
        pretrained_from(config, "cam", 3).fill(tiny_networks.Net(3))
    words = (
        "with --pretrained none the backbone, here resnet18, is filled from that of --cam_network "
        "tests.plain_networks: pass --pretrained imagenet or a FILE of resnet18 weights"
    )
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
