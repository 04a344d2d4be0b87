import numpy as np
import pytest
import torch
from PIL import Image

from misc.amn import amn_cams, amn_losses
from misc.train.samples import AMNSamples
from net.amn import AMN


def by_hand(logit, label, eps):
    """Give the mean loss of the pixels of background, and of the others, by their definition."""
    labels, means = logit.shape[1], []
    for wanted in ((0,), (1, 2, 3)):
        losses = []
        for image, row, column in zip(*np.nonzero(np.isin(label, wanted)), strict=True):
            own = label[image, row, column]
            target = [1 - eps if other == own else eps / (labels - 1) for other in range(labels)]
            losses.append(-logit[image, :, row, column].log_softmax(0) @ torch.tensor(target))
        means.append(torch.stack(losses).mean())
    return means


def test_the_loss_is_the_mean_of_background_and_of_foreground_with_smooth_targets():
    logit, label = torch.randn(2, 4, 2, 3), np.array([[[0, 1, 255]] * 2, [[3, 0, 0]] * 2], np.uint8)
    found = amn_losses(logit, torch.from_numpy(label))
    assert list(found) == ["background", "foreground"]
    torch.testing.assert_close(list(found.values()), by_hand(logit, label, eps=0.4))
    # At C / (C + 1) targets are uniform: no label counts.
    uniform = amn_losses(logit, torch.from_numpy(label % 2), smoothing=3 / 4)
    mean = -logit.log_softmax(1).mean(1)[torch.from_numpy(label % 2 == 0)].mean()
    torch.testing.assert_close(uniform["background"], mean)


def test_a_batch_without_foreground_has_no_such_loss():
    logit = torch.randn(1, 4, 2, 2, requires_grad=True)
    found = amn_losses(logit, torch.tensor([[[0, 0], [255, 0]]], dtype=torch.uint8))
    assert found["foreground"] == 0
    (found["background"] + found["foreground"]).backward()
    assert logit.grad.isfinite().all()


def test_maps_are_stretched_but_where_the_old_label_is_background():
    logits = [torch.randn(4, 2, 3), torch.randn(4, 1, 2)]
    label = np.zeros((25, 37), np.uint8)
    label[3:11], label[11:20] = 2, 255
    cams = amn_cams(logits, np.array([0, 2]), label)
    assert cams.cam.shape == (2, 7, 10)
    large = [torch.nn.functional.interpolate(x[None], (32, 48), mode="bilinear")[0] for x in logits]
    found = (sum(large) / 2).softmax(dim=0)[[1, 3], :25, :37].numpy()
    for cam, expected in zip(cams.high_res, found, strict=True):
        stretched = (expected - expected.min()) / (expected.max() - expected.min() + 1e-5)
        np.testing.assert_allclose(cam[3:20], stretched[3:20], atol=1e-5)
        np.testing.assert_allclose(cam[20:], expected[20:], atol=1e-5)
    assert amn_cams(logits, np.array([], int), label).high_res.shape == (0, 25, 37)


def samples(label):
    image = np.zeros((*label.shape, 3), np.uint8)
    return AMNSamples(
        ids=["a"],
        labels=np.ones((1, 3), np.float32),
        read_image=lambda _: image,
        read_label=lambda _: label,
        crop_size=64,
    )


def test_labels_come_on_the_grid_of_the_logits_by_the_nearest_rule_of_pil():
    label = np.random.default_rng(0).integers(0, 4, (40, 50), np.uint8)
    _, _, found, classes = samples(label).sample(0, np.random.default_rng(1))
    _, _, whole = super(AMNSamples, samples(label)).sample(0, np.random.default_rng(1))
    nearest = Image.fromarray(whole).resize((4, 4), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(found, np.array(nearest))
    assert classes.tolist() == [1, 1, 1]
    model = AMN(3, backbone="resnet18").train()
    logit = model(torch.zeros(2, 3, 64, 64), torch.ones(2, 3))
    assert logit.shape == (2, 4, *found.shape)
    assert not any(m.training for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_a_label_of_another_class_than_the_data_sets_is_named():
    with pytest.raises(ValueError, match="a: its relation label has class 4 of 3 classes; name"):
        samples(np.full((40, 50), 4, np.uint8)).sample(0, np.random.default_rng(0))
