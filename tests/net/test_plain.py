"""Networks are plain modules: they export, pickle and take hooks as any other."""

import copy
import pickle

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
    return lambda: scrambled(BUILDERS[request.param]())


def flat(found):
    return torch.cat([part.flatten() for part in (found if isinstance(found, tuple) else (found,))])


def applied(model, images=PAIR):
    with torch.inference_mode():
        return flat(model(images))


def relative(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def test_for_inference_it_gives_the_same_within_rounding(build):
    model = build().eval()
    expected = applied(model)
    assert relative(applied(for_inference(copy.deepcopy(model), CPU)), expected) < 2e-6
    exact = applied(model.double(), PAIR.double())
    assert relative(applied(for_inference(model, CPU), PAIR.double()), exact) < 1e-10


def test_for_inference_no_batch_norm_is_left():
    for model in (BUILDERS["CAM"](), BUILDERS["DeepLab"](), detector()):
        left = for_inference(model, CPU).modules()
        assert not any(isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d) for m in left)


def test_for_inference_what_is_not_applied_in_order_stays():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.conv(self.norm(x))

    model = scrambled(nn.Sequential(Own(), nn.ReLU(), nn.BatchNorm2d(3))).eval()
    expected = applied(model)
    assert relative(applied(for_inference(model, CPU)), expected) < 1e-6


def test_hooks_on_batch_norm_and_relu_are_called(build):
    model, seen = build().eval(), set()
    parts = {n: m for n, m in model.named_modules() if n.endswith(("bn1", "bn2", ".relu"))}
    parts = {n: m for n, m in parts.items() if n.startswith("resnet50")}
    for name, part in parts.items():
        part.register_forward_hook(lambda *_, name=name: seen.add(name))
    applied(model)
    assert len(parts) > 10
    assert seen == set(parts)


def test_a_pickled_network_holds_each_tensor_once(build):
    model = build().eval()
    applied(model)
    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    assert len(pickle.dumps(model)) < 1.05 * size
    assert torch.equal(applied(pickle.loads(pickle.dumps(model))), applied(model))


def test_it_exports(build):
    model = build().eval()
    exported = torch.export.export(model, (PAIR,), strict=False).module()
    with torch.no_grad():
        traced = torch.jit.trace(model, PAIR, check_trace=False)
    for form in (exported, traced):
        assert relative(applied(form), applied(model)) < 1e-5


@pytest.mark.filterwarnings("ignore")  # torchvision's code is full of what tracing warns about
def test_a_detector_is_traced():
    model, image = detector().eval(), torch.rand(3, 64, 80)
    model.roi_heads.score_thresh = 0.0

    class Boxes(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, image):
            return self.model([image])[0]["boxes"]

    with torch.no_grad():
        traced = torch.jit.trace(Boxes(), image, check_trace=False)
        torch.testing.assert_close(traced(image), model([image])[0]["boxes"])


def test_it_exports_to_onnx(build, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    torch.onnx.export(build().eval(), (PAIR,), tmp_path / "network.onnx")
    assert (tmp_path / "network.onnx").is_file()
