import pytest
import torch
import torch.nn.functional as F

from misc.recam import class_features, recam_loss, recam_maps


@pytest.fixture
def given():
    """Give features (2, D, h, w), and both classifiers (C, D, 1, 1)."""
    return torch.randn(2, 8, 5, 6).relu(), torch.randn(3, 8, 1, 1), torch.randn(3, 8, 1, 1)


def test_a_second_classifier_of_ones_gives_plain_cams(given):
    features, classifier, weight = given
    maps = F.conv2d(features, classifier).relu()
    found = recam_maps(features, classifier, torch.ones_like(weight))
    torch.testing.assert_close(found, maps[0] + maps[1].flip(-1), rtol=1e-6, atol=1e-6)


def test_the_second_classifier_weights_the_channels_of_the_first(given):
    features, classifier, weight = given
    for_class = torch.einsum("bdhw,d->bhw", features, (classifier * weight)[1, :, 0, 0]).relu()
    found = recam_maps(*given)[1]
    torch.testing.assert_close(found, for_class[0] + for_class[1].flip(-1), rtol=1e-6, atol=1e-5)


def test_the_loss_is_that_of_each_present_class_seen_through_its_own_map(given):
    features, classifier, weight = given
    label = torch.tensor([[1.0, 0, 1], [0, 0, 0]])
    losses = []
    for c in (0, 2):
        cam = (classifier[c, :, 0, 0] @ features[0].flatten(1)).relu()
        seen = (cam / (cam.max() + 1e-5) * features[0].flatten(1)).mean(dim=1)
        torch.testing.assert_close(class_features(features, classifier)[0, c], seen)
        losses.append(F.cross_entropy((weight[:, :, 0, 0] @ seen)[None], torch.tensor([c])))
    expected = (losses[0] + losses[1]) / 2 / 2  # classes, then images
    torch.testing.assert_close(recam_loss(*given, label), expected, rtol=1e-6, atol=1e-6)


def test_the_maps_that_weight_the_features_have_a_gradient(given):
    features, classifier, weight = given
    classifier.requires_grad_()
    recam_loss(features, classifier, weight, torch.ones(2, 3)).backward()
    assert classifier.grad.abs().sum() > 0
