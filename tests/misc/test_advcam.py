import pytest
import torch
import torch.nn.functional as F

from misc import advcam
from misc.advcam import advcam_maps

CLASSES = torch.tensor([0, 2])


@pytest.fixture
def given():
    """Give an image with its mirror, and a network: its features and its classifier."""
    image = torch.randn(3, 24, 20)
    network = torch.nn.Conv2d(3, 8, 4, stride=4)
    return {
        "pair": torch.stack([image, image.flip(-1)]),
        "features": lambda images: network(images).relu(),
        "classifier": torch.randn(3, 8, 1, 1),
    }


def class_map(pair, features, classifier, label):
    """Compute the scores of a pair, and the map of one of its classes, as the recipe says."""
    scores = F.conv2d(features(pair), classifier).relu()
    first, second = scores[:, label]
    pixels, others = (first > 0).sum(), (second > 0).sum()
    channels = (classifier[label] > 0).sum()
    both = pixels * first + others * second.flip(-1)
    return scores, both / ((pixels + others) * channels)


def test_one_iteration_gives_the_cams_weighted_by_their_positive_pixels(given):
    found = advcam_maps(classes=CLASSES, iterations=1, **given)
    for label, each in zip(CLASSES, found, strict=True):
        expected = class_map(label=label, **given)[1]
        torch.testing.assert_close(each, expected, rtol=1e-6, atol=1e-6)


def test_one_iteration_is_a_plain_cam_where_the_mirror_shows_the_same(given):
    shown = given["features"](given["pair"][:1])
    pair = torch.cat([shown, shown.flip(-1)])  # these features mirror exactly
    classifier = given["classifier"]
    plain = F.conv2d(pair, classifier).relu()
    plain = (plain[0] + plain[1].flip(-1))[CLASSES]
    found = advcam_maps(
        pair, CLASSES, features=lambda same: same, classifier=classifier, iterations=1
    )
    channels = (classifier[CLASSES] > 0).sum(dim=(1, 2, 3))
    expected = plain / (2 * channels)[:, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_image_climbs_by_the_gradient_of_its_class(given):
    """Three iterations: the second step is the first that high scores are held in."""
    total = 0
    for label in CLASSES:
        pair, others, maps = given["pair"], [c for c in range(3) if c != label], []
        for _ in range(3):
            pair = pair.detach().requires_grad_()
            scores, found = class_map(**given | {"pair": pair}, label=label)
            maps.append(found)
            logits = scores.mean(dim=(2, 3)).sum(dim=0)
            held = (found - maps[0].detach()).abs()[found > found.max() / 2].sum()
            (logits[label] - logits[others].sum() - 7 * held).backward()
            moved = pair + 0.08 * pair.grad / pair.grad.abs().max()
            pair = moved.clamp(pair.min(), pair.max())
        found = advcam_maps(classes=label[None], iterations=3, **given)[0]
        torch.testing.assert_close(found, sum(maps).detach(), rtol=1e-5, atol=1e-6)
        total += (maps[0] - maps[2]).abs().max()
    assert total > 1e-3


def test_classes_together_climb_as_each_by_itself_and_none_gives_no_map(given, monkeypatch):
    together = advcam_maps(classes=CLASSES, iterations=4, **given)
    assert advcam_maps(classes=CLASSES[:0], iterations=4, **given).shape == (0, 6, 5)
    monkeypatch.setattr(advcam, "PIXELS", 1)
    apart = advcam_maps(classes=CLASSES, iterations=4, **given)
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-6)


def test_features_without_a_gradient_are_refused(given):
    features = given.pop("features")
    classifier = given.pop("classifier").requires_grad_()
    with pytest.raises(ValueError, match=r"advcam: --cam_network: .*train_whole=True"):
        advcam_maps(
            classes=CLASSES,
            features=lambda images: features(images.detach()),
            classifier=classifier,
            iterations=2,
            **given,
        )
