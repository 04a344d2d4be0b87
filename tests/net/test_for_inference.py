"""A network made ready for inference gives what it gave before."""

import copy

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from misc.machine.device import Compute
from misc.train.networks import for_inference
from net.deeplab import DeepLab
from net.mask_rcnn import mask_rcnn
from net.resnet50_cam import CAM
from net.resnet50_irn import EdgeDisplacement

SMALL = {"backbone": "resnet18"}
BUILDERS = {
    "CAM": lambda: CAM(4, **SMALL),
    "IRNet": lambda: EdgeDisplacement(64, **SMALL),
    "DeepLab": lambda: DeepLab(5, **SMALL),
}
PAIR = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(1))
CPU = Compute(device=torch.device("cpu"))


def scrambled(model):
    """Let the batch norms of a network change what goes through them."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            with torch.no_grad():
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.2, 0.6)
                module.bias.normal_(0, 0.1)
    return model


def detector():
    return scrambled(mask_rcnn(3, min_size=64, max_size=96, channels=16, **SMALL))


@pytest.fixture(params=BUILDERS)
def build(request):
    torch.manual_seed(0)  # rounding depends on the weights
    return lambda: scrambled(BUILDERS[request.param]())


def flat(found):
    return torch.cat([part.flatten() for part in (found if isinstance(found, tuple) else (found,))])


def applied(model, images=PAIR):
    with torch.inference_mode():
        return flat(model(images))


def relative(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def test_it_gives_the_same_within_rounding(build):
    model = build().eval()
    expected = applied(model)
    assert relative(applied(for_inference(copy.deepcopy(model), CPU)), expected) < 2e-6
    exact = applied(model.double(), PAIR.double())
    assert relative(applied(for_inference(model, CPU), PAIR.double()), exact) < 1e-10


def test_no_batch_norm_is_left():
    for model in (BUILDERS["CAM"](), BUILDERS["DeepLab"](), detector()):
        left = for_inference(model, CPU).modules()
        assert not any(isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d) for m in left)


def test_what_is_not_applied_in_order_stays():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.conv(self.norm(x))

    model = scrambled(nn.Sequential(Own(), nn.ReLU(), nn.BatchNorm2d(3))).eval()
    expected = applied(model)
    assert relative(applied(for_inference(model, CPU)), expected) < 1e-6
