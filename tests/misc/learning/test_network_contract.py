import re
import sys
from types import ModuleType

import pytest
import torch

from misc.indexing import PathIndex
from misc.learning.networks import CONTRACT, deeplab_backbone, load_backbone, make_network
from misc.settings.config import Config
from tests import plain_networks, tiny_networks

PATHS = PathIndex(5, (16, 16))


def plugged(monkeypatch, **changes):
    """Plug in the plain networks with some of their names changed; None takes one away."""
    module = ModuleType("plugged")
    vars(module).update({n: v for n, v in (vars(plain_networks) | changes).items() if v})
    monkeypatch.setitem(sys.modules, "plugged", module)


def test_the_contract_holds_of_the_networks_of_net():
    first = {"AffinityDisplacementLoss": [PATHS], "EdgeDisplacement": []}
    for flag, module in (("cam_network", "net.resnet50_cam"), ("irn_network", "net.resnet50_irn")):
        for form in CONTRACT[flag]:
            make_network(flag, module, form, *first.get(form, [20]), backbone="resnet18")


def test_a_module_that_cannot_be_imported_is_named():
    with pytest.raises(ValueError, match=r"--cam_network no\.such: cannot be imported"):
        make_network("cam_network", "no.such", "Net", 20)


def test_all_that_a_module_lacks_is_named_at_once(monkeypatch):
    class Net:
        def __init__(self, num_classes, *, backbone):
            pass

    plugged(monkeypatch, Net=Net, CAM=None)
    words = "plugged: the module lacks Net(train_whole=), Net.trainable_parameters, CAM; "
    with pytest.raises(ValueError, match=re.escape(words)):
        make_network("cam_network", "plugged", "Net", 20, backbone="resnet50")


def test_what_an_instance_lacks_is_named_too(monkeypatch):
    class Bare(plain_networks.AffinityDisplacementLoss):
        def __init__(self, path_index, *, backbone):
            super().__init__(path_index, backbone=backbone)
            del self.mean_shift.running_mean, self.resnet50

    plugged(monkeypatch, AffinityDisplacementLoss=Bare)
    words = r"lacks AffinityDisplacementLoss\(\)\.resnet50, .*\(\)\.mean_shift\.running_mean; "
    with pytest.raises(ValueError, match=words):
        make_network("irn_network", "plugged", "AffinityDisplacementLoss", PATHS, backbone="")


def test_deeplabs_backbone_is_that_of_all_unless_it_is_named():
    assert deeplab_backbone(Config(backbone="resnet18")) == "resnet18"
    assert (
        deeplab_backbone(Config(backbone="resnet18", deeplab_backbone="resnet101")) == "resnet101"
    )


def test_a_backbone_that_the_cam_network_cannot_fill_says_what_to_do(tmp_path):
    path = tmp_path / "cam.pth"
    network = plain_networks.Net(3, train_whole=True, backbone="")
    torch.save(network.state_dict(), path)
    config = Config(
        pretrained="none", cam_network="tests.plain_networks", cam_weights_name=str(path)
    )
    with pytest.raises(ValueError, match="these weights are of another network") as raised:
        load_backbone(tiny_networks.backbone(), config, name="resnet18")
    words = (
        "with --pretrained none the backbone, here resnet18, is filled from that of --cam_network "
        "tests.plain_networks: pass --pretrained imagenet or a FILE of resnet18 weights"
    )
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
