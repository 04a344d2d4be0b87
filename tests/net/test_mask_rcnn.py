import numpy as np
import pytest
import torch
import torchvision
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d

from misc.train.inference import as_detections
from misc.train.networks import load_pretrained
from net.mask_rcnn import mask_rcnn
from tests.tiny_networks import tiny_detector_and_deeplab


@pytest.fixture(scope="module")
def model():
    return mask_rcnn(20, min_size=64, max_size=96, sampled_boxes=8)


def test_it_is_torchvisions_model_for_our_classes(model):
    expected = torchvision.models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=21
    ).state_dict()
    found = model.state_dict()
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    assert set(found) == set(expected) - counters
    assert all(found[name].shape == expected[name].shape for name in found)


def test_the_backbone_takes_the_weights_of_a_resnet50(model, tmp_path):
    classifier = torchvision.models.resnet50(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "imagenet.pth")
    load_pretrained(model.backbone.body, str(tmp_path / "imagenet.pth"))
    for name, tensor in model.backbone.body.state_dict().items():
        assert torch.equal(tensor, classifier.state_dict()[name])


def test_batch_norm_is_frozen_and_the_first_layers_do_not_learn(model):
    assert any(isinstance(module, FrozenBatchNorm2d) for module in model.modules())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(names) == len(model.trainable_parameters())
    assert not any(
        name.startswith(("backbone.body.conv1", "backbone.body.layer1")) for name in names
    )
    assert any(name.startswith("backbone.body.layer2") for name in names)


@pytest.fixture
def tiny():
    with tiny_detector_and_deeplab():
        model = mask_rcnn(4, min_size=600, max_size=800, sampled_boxes=32, channels=16)
    model.roi_heads.score_thresh = 0.0
    return model


def seen_by(module, monkeypatch):
    """Record what a part of the network is given and gives."""
    seen, forward = [], module.forward

    def watched(*arguments):
        result = forward(*arguments)
        seen.append((arguments, result))
        return result

    monkeypatch.setattr(module, "forward", watched)
    return seen


def test_under_autocast_the_backbone_alone_computes_in_16_bits(tiny, monkeypatch):
    """Boxes at 800 pixels are those of float32 arithmetic on the same maps."""
    layer = seen_by(tiny.backbone.body.layer4[0], monkeypatch)
    rpn, heads = (seen_by(part, monkeypatch) for part in (tiny.rpn, tiny.roi_heads))
    tiny.eval()
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            (found,) = tiny([torch.rand(3, 600, 800)])
        assert layer[0][1].dtype == torch.bfloat16
        images, levels, _ = rpn[0][0]
        (proposals,), _ = tiny.rpn(images, levels)
        ((expected,), _) = tiny.roi_heads(levels, [proposals], images.image_sizes)
    assert torch.equal(heads[0][0][1][0], proposals)
    assert torch.equal(found["boxes"], expected["boxes"])
    assert found["boxes"].max() > 700
    # In bfloat16 every coordinate above 512 would be a multiple of 4.
    assert (found["boxes"] % 1).any()


def test_targets_keep_their_coordinates_under_autocast(tiny, monkeypatch):
    seen, select = [], tiny.roi_heads.select_training_samples
    monkeypatch.setattr(
        tiny.roi_heads,
        "select_training_samples",
        lambda *arguments: seen.append(select(*arguments)) or seen[-1],
    )
    box = torch.tensor([[601.25, 300.5, 797.75, 590.125]])
    target = {"boxes": box, "labels": torch.ones(1, dtype=torch.int64)}
    target["masks"] = torch.ones(1, 600, 800, dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        losses = tiny.train()([torch.rand(3, 600, 800)], [target])
    assert all(loss.dtype == torch.float32 for loss in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in tiny.trainable_parameters())
    (proposals, _, _, regression_targets) = seen[0]
    assert (proposals[0] == box).all(dim=1).any()
    assert regression_targets[0].dtype == torch.float32


def test_without_autocast_it_computes_what_torchvisions_does(small):
    image = torch.rand(3, 64, 80)
    with torch.no_grad():
        ours = small.eval()([image])
        theirs = torchvision.models.detection.MaskRCNN.forward(small, [image])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


SIZES = [(64, 80), (500, 375), (37, 91), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_images_boxes_and_masks_are_resized_as_torchvisions_does(tiny, size):
    image, masks = torch.rand(3, *size), torch.rand(2, *size).round().byte()
    target = {"boxes": torch.tensor([[0.0, 0, 1, 1], [0.5, 0.25, size[1], size[0]]])}
    target["masks"] = masks
    usual = GeneralizedRCNNTransform(tiny.transform.min_size, 800, [0.5] * 3, [0.25] * 3)
    expected = usual.eval().resize(image, dict(target))
    torch.testing.assert_close(
        tiny.transform.eval().resize(image, target), expected, atol=0, rtol=0
    )


@pytest.fixture
def small():
    with tiny_detector_and_deeplab():
        model = mask_rcnn(4, min_size=64, max_size=96, sampled_boxes=8)
    model.roi_heads.score_thresh = 0.0
    return model


def found_in(model, images):
    with torch.no_grad():
        return [found for image in images for found in model([image])]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_detections_of_an_image_do_not_depend_on_the_images_before_it(precision):
    images = [torch.rand(3, *size) for size in ((70, 90), (20, 300), (300, 20), (64, 64))]
    orders = []
    for order in ([0, 1, 2, 3], [1, 3, 2, 0]):
        torch.manual_seed(0)
        model = mask_rcnn(4, min_size=64, max_size=96, backbone="resnet18", channels=16).eval()
        model.roi_heads.score_thresh = 0.0
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            found = found_in(model, [images[place] for place in order])
        orders.append(dict(zip(order, found, strict=True)))
    for place in range(4):
        assert len(orders[0][place]["scores"]) > 0
        for name, tensor in orders[0][place].items():
            assert torch.equal(tensor, orders[1][place][name])


@pytest.mark.parametrize("size", [(1, 1700), (5000, 2)])
def test_an_image_that_is_a_line_is_detected_and_learnt(small, size):
    (found,) = found_in(small.eval(), [torch.rand(3, *size)])
    assert found["masks"].shape[2:] == size
    assert len(found["scores"]) > 0
    target = {"boxes": torch.tensor([[0.0, 0, size[1], size[0]]]), "labels": torch.ones(1).long()}
    target["masks"] = torch.ones(1, *size, dtype=torch.uint8)
    losses = small.train()([torch.rand(3, *size)], [target])
    assert all(loss.isfinite() for loss in losses.values())


def test_detections_have_sure_masks_and_classes_from_0():
    masks = torch.zeros(2, 1, 3, 4)
    masks[0, 0, 1] = torch.tensor([0.4, 0.5, 0.6, 0.9])
    found = as_detections(
        {"scores": torch.tensor([0.9, 0.8]), "labels": torch.tensor([20, 1]), "masks": masks}
    )
    assert found["score"].tolist() == pytest.approx([0.9])
    assert found["class"].tolist() == [19]
    assert np.flatnonzero(found["mask"]).tolist() == [6, 7]
