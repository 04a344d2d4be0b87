from urllib.error import URLError

import pytest
import torch
import torchvision

from misc.learning.pretrained import load_pretrained
from net.resnet50 import resnet50


def imagenet_like():
    return torchvision.models.resnet50(weights=None).state_dict()


def test_a_torchvision_file_fills_the_backbone(tmp_path):
    state = imagenet_like()
    torch.save(state, tmp_path / "resnet50.pth")
    backbone = resnet50()
    load_pretrained(backbone, str(tmp_path / "resnet50.pth"))
    assert torch.equal(backbone.layer4[0].conv2.weight, state["layer4.0.conv2.weight"])


def test_the_stride_of_layer4_is_1():
    with torch.no_grad():
        backbone = resnet50()
        assert backbone.layer4(torch.zeros(1, 1024, 6, 5)).shape == (1, 2048, 6, 5)


def test_without_a_network_the_other_ways_are_named(monkeypatch):
    def unreachable(self, *arguments, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet50_Weights, "get_state_dict", unreachable)
    with pytest.raises(ValueError, match=r"no route to host.*--pretrained FILE.*--pretrained none"):
        load_pretrained(resnet50(), "imagenet")


def test_a_missing_file_and_a_file_of_another_network_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--pretrained none\.pth: no such file"):
        load_pretrained(resnet50(), "none.pth")
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "18.pth")
    with pytest.raises(ValueError, match=r"--pretrained .*18\.pth: these weights are of another"):
        load_pretrained(resnet50(), str(tmp_path / "18.pth"))
