import numpy as np
import pytest
import torch
import torchvision
from torchvision.ops import FrozenBatchNorm2d

from net.mask_rcnn import as_detections, mask_rcnn, trainable_parameters
from net.resnet50 import load_pretrained


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


def test_building_it_loads_no_weights_from_anywhere(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("weights were asked for")

    for name in ("torch.hub.load_state_dict_from_url", "torch.load"):
        monkeypatch.setattr(name, refuse)
    for enum in (
        torchvision.models.ResNet50_Weights,
        torchvision.models.detection.MaskRCNN_ResNet50_FPN_Weights,
    ):
        monkeypatch.setattr(enum, "get_state_dict", refuse)
    mask_rcnn(20, min_size=64, max_size=96)


def test_coco_trained_weights_are_refused_as_a_backbone(model, tmp_path):
    detector = torchvision.models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None
    )
    torch.save(detector.state_dict(), tmp_path / "coco.pth")
    before = model.backbone.body.conv1.weight.clone()
    with pytest.raises(ValueError, match="these weights are of another network"):
        load_pretrained(model.backbone.body, str(tmp_path / "coco.pth"))
    assert torch.equal(model.backbone.body.conv1.weight, before)


def test_the_backbone_takes_the_weights_of_a_resnet50(model, tmp_path):
    classifier = torchvision.models.resnet50(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "imagenet.pth")
    load_pretrained(model.backbone.body, str(tmp_path / "imagenet.pth"))
    for name, tensor in model.backbone.body.state_dict().items():
        assert torch.equal(tensor, classifier.state_dict()[name])


def test_batch_norm_is_frozen_and_the_first_layers_do_not_learn(model):
    kinds = {type(module).__name__ for module in model.modules()}
    assert FrozenBatchNorm2d.__name__ in kinds
    assert "BatchNorm2d" not in kinds
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(names) == len(trainable_parameters(model))
    assert not any(
        name.startswith(("backbone.body.conv1", "backbone.body.layer1")) for name in names
    )
    assert any(name.startswith("backbone.body.layer2") for name in names)


def test_detections_have_sure_masks_and_classes_from_0():
    masks = torch.zeros(2, 1, 3, 4)
    masks[0, 0, 1] = torch.tensor([0.4, 0.5, 0.6, 0.9])
    found = as_detections(
        {"scores": torch.tensor([0.9, 0.8]), "labels": torch.tensor([20, 1]), "masks": masks}
    )
    assert found["score"].tolist() == pytest.approx([0.9])
    assert found["class"].tolist() == [19]
    assert np.flatnonzero(found["mask"]).tolist() == [6, 7]
