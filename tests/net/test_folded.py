import copy

import pytest
import torch
from torch import nn
from torchvision.models import resnet18, resnet50
from torchvision.ops import FrozenBatchNorm2d

from misc.machine.device import Compute
from net.folded import FoldedConv2d, fold_batch_norm


def scrambled(build, norm_layer=nn.BatchNorm2d):
    """Build a network whose batch norms change what goes through them."""
    torch.manual_seed(0)
    model = build(weights=None, norm_layer=norm_layer, num_classes=3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            with torch.no_grad():
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.2, 0.6)
                module.bias.normal_(0, 0.1)
    return model.eval()


def folded(model):
    model = copy.deepcopy(model)
    fold_batch_norm(model)
    return model


@pytest.fixture(scope="module", params=[resnet18, resnet50], ids=["basic", "bottleneck"])
def plain(request):
    return scrambled(request.param)


IMAGE = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(1))


def relative(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def test_it_computes_the_same_within_rounding_alone_and_placed(plain):
    model = folded(plain)
    with torch.no_grad():
        expected = plain(IMAGE)
        assert relative(model(IMAGE), expected) < 1e-6
        placed = Compute(device=torch.device("cpu")).place(model)
        assert relative(placed(IMAGE), expected) < 1e-6
        with torch.inference_mode():
            assert relative(placed(IMAGE), expected) < 1e-6
        fp64 = folded(plain).double()(IMAGE.double())
    assert relative(fp64, plain.double()(IMAGE.double())) < 1e-12
    plain.float()


def test_names_and_values_of_the_state_dict_stay(plain):
    model = folded(plain)
    with torch.no_grad():
        model(IMAGE)
    assert list(model.state_dict()) == list(plain.state_dict())
    for name, tensor in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)
    assert {*dict(model.named_modules())} == {*dict(plain.named_modules())}


@pytest.mark.parametrize("mode", [True, False], ids=["live", "fixed"])
def test_gradients_are_those_of_batch_norm_on_its_own(plain, mode):
    theirs, ours = copy.deepcopy(plain).double(), folded(plain).double()
    for model in (theirs, ours):
        model.train(mode)(IMAGE.double()).square().sum().backward()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert relative(mine.grad, other.grad) < 1e-9, name
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_gradients_of_frozen_batch_norm_reach_the_convolutions():
    plain = scrambled(resnet18, FrozenBatchNorm2d).double()
    ours = folded(plain)
    for model in (plain, ours):
        model.train()(IMAGE.double()).square().sum().backward()
    for (name, mine), other in zip(ours.named_parameters(), plain.parameters(), strict=True):
        assert relative(mine.grad, other.grad) < 1e-9, name


def test_weights_that_change_are_folded_again(plain):
    model, other = folded(plain), copy.deepcopy(plain)
    with torch.no_grad():
        model(IMAGE)
        other.layer1[0].bn1.running_mean += 1
        other.layer2[0].conv1.weight *= 1.5
        model.load_state_dict(other.state_dict())
        assert relative(model(IMAGE), other(IMAGE)) < 1e-6
        model.double()
        assert relative(model(IMAGE.double()), other.double()(IMAGE.double())) < 1e-12


def test_frozen_batch_norm_computes_in_16_bits_under_autocast():
    model = scrambled(resnet18, FrozenBatchNorm2d)
    fold_batch_norm(model)
    seen = []
    model.layer1[0].bn1.register_forward_hook(lambda _m, _i, result: seen.append(result.dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(IMAGE)
    assert seen == [torch.bfloat16]


def test_only_a_convolution_before_its_own_batch_norm_is_folded():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    fold_batch_norm(model)
    assert not any(isinstance(module, FoldedConv2d) for module in model)
    assert type(model[2]) is nn.BatchNorm2d
