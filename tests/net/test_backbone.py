from urllib.error import URLError

import pytest
import torch
import torchvision

from misc.files.weights import backbone_of
from misc.settings.config import BACKBONES
from misc.train.networks import load_pretrained
from net.backbone import LAYERS, build_backbone, stage_channels, stem


def test_without_a_network_the_other_ways_are_named(monkeypatch):
    def unreachable(self, *arguments, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet50_Weights, "get_state_dict", unreachable)
    with pytest.raises(ValueError, match=r"no route to host.*--pretrained FILE.*--pretrained none"):
        load_pretrained(build_backbone(), "imagenet")


def test_a_file_of_another_network_is_refused(tmp_path):
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "18.pth")
    with pytest.raises(ValueError, match=r"--pretrained .*18\.pth: these weights are of another"):
        load_pretrained(build_backbone(), str(tmp_path / "18.pth"))


def features(model, size=64):
    with torch.no_grad():
        x = stem(model, torch.zeros(1, 3, size, size))
        found = [x]
        for name in LAYERS:
            found.append(model.get_submodule(name)(found[-1]))
    return found


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_output_stride_16_and_is_known_by_its_weights(name):
    with torch.device("meta"):
        model = build_backbone(name).eval()
        found = features(model)
    assert [x.shape[2] for x in found] == [16, 16, 8, 4, 4]
    assert [x.shape[1] for x in found] == stage_channels(model)
    state = model.state_dict()
    assert not [layer for layer in state if layer.startswith(("fc", "avgpool"))]
    assert backbone_of({f"backbone.body.{n}": t for n, t in state.items()}) == name
    assert backbone_of({n: t for n, t in state.items() if not n.startswith("layer4.1")}) is None


def test_at_output_stride_8_the_last_layers_of_basic_blocks_are_dilated():
    """Which torchvision's are not."""
    with torch.device("meta"):
        model = build_backbone("resnet18", output_stride=8).eval()
        assert [x.shape[2] for x in features(model)] == [16, 16, 8, 8, 8]
    dilations = [
        [m.dilation[0] for m in layer.modules() if getattr(m, "kernel_size", 0) == (3, 3)]
        for layer in (model.layer3, model.layer4)
    ]
    assert set(dilations[0]) == {1, 2}
    assert set(dilations[1]) == {2, 4}


def test_at_output_stride_8_it_is_torchvisions_dilated_resnet50():
    dilated = {"replace_stride_with_dilation": [False, True, True]}
    theirs = torchvision.models.resnet50(weights=None, **dilated).eval()
    ours = build_backbone(output_stride=8, zero_init_residual=False).eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    for mine, other in zip(features(ours), features(theirs), strict=True):
        assert torch.equal(mine, other)


def test_imagenet_fetches_the_weights_of_the_backbone(monkeypatch):
    asked = []

    def fetched(weights, **_):
        asked.append(str(weights))
        return torchvision.models.resnet18(weights=None).state_dict()

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", fetched)
    load_pretrained(build_backbone("resnet18"), "imagenet", name="resnet18")
    assert asked == ["ResNet18_Weights.IMAGENET1K_V1"]
