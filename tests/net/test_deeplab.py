import pytest
import torch
import torch.nn.functional as F

from net.deeplab import DeepLab, label_loss


@pytest.fixture(scope="module")
def model():
    return DeepLab(5).eval()


@pytest.mark.parametrize(("stride", "size"), [(8, (9, 6)), (16, (5, 3))])
def test_logits_come_at_the_output_stride_and_see_as_far(stride, size):
    with torch.device("meta"):
        model = DeepLab(5, output_stride=stride).eval()
        assert model(torch.zeros(1, 3, 65, 48)).shape == (1, 5, *size)
    assert [stride * branch.dilation[0] for branch in model.aspp] == [48, 96, 144, 192]
    dilations = {m.dilation[0] for m in model.resnet50.layer4.modules() if hasattr(m, "dilation")}
    assert dilations - {1} == ({2, 4} if stride == 8 else {2})


def test_four_atrous_classifiers_are_summed(model):
    assert [branch.dilation[0] for branch in model.aspp] == [6, 12, 18, 24]
    x = torch.randn(1, 2048, 9, 9)
    backbone = model.resnet50
    expected = sum(
        F.conv2d(x, branch.weight, branch.bias, padding=branch.padding, dilation=branch.dilation)
        for branch in model.aspp
    )
    original = backbone.layer4
    backbone.layer4 = torch.nn.Identity()
    hook = backbone.layer4.register_forward_hook(lambda *_: x)
    try:
        with torch.no_grad():
            assert torch.allclose(model(torch.zeros(1, 3, 72, 72)), expected, atol=1e-5)
    finally:
        hook.remove()
        backbone.layer4 = original


def test_the_loss_is_the_mean_over_the_pixels_that_count():
    logit = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])  # two labels, a row of two pixels
    label = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    assert label_loss(logit, label, ignore=255).item() == pytest.approx(0.126928, abs=1e-5)


def test_the_loss_of_a_label_that_is_all_ignored_is_0():
    label = torch.full((1, 2, 2), 255, dtype=torch.uint8)
    assert label_loss(torch.randn(1, 3, 1, 1), label, ignore=255).item() == 0
