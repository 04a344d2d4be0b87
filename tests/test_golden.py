"""Outputs of the published program's own functions, as figures (float32, on a CPU).

golden.npz holds inputs and outputs: of the images enlarged by 1.5 and 2.0 every fifth row, of all
else the whole. The weights behind the networks' outputs follow from their names (net/published.py).
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from misc.affinity import total_loss
from misc.centroids import find_centroids
from misc.crf import crf_inference_labels
from misc.imutils import normalize, planes, rescale
from misc.indexing import PathIndex, propagate_to_edge
from misc.train.training import Schedule, make_optimizer
from net.resnet50_cam import CAM, Net
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement
from tests.net.published import state_dict

FIGURES = dict(np.load(Path(__file__).parent / "golden.npz"))
TOLERANCE = 1e-4


def assert_close(found, name):
    """Compare with a figure, relative to its largest value."""
    expected = FIGURES[name]
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


weights = cache(state_dict)


def filled(model, network):
    model.load_published(weights(network), source="published")
    return model


def pair():
    image = torch.from_numpy(FIGURES["x"][0])
    return torch.stack([image, image.flip(-1)])


def test_class_attention_maps():
    with torch.no_grad():
        assert_close(filled(CAM(20), "cam").eval()(pair()), "cam")


def test_logits_of_the_classification_network():
    with torch.no_grad():
        logit = filled(Net(20), "cam").eval()(torch.from_numpy(FIGURES["x"]))
    assert_close(logit, "logit")


def test_boundary_and_displacement():
    with torch.no_grad():
        edge, displacement = filled(EdgeDisplacement(crop_size=128), "irn").eval()(pair())
    assert_close(edge, "edge")
    assert_close(displacement, "dp")


@pytest.fixture(scope="module")
def training_step():
    model = filled(AffinityDisplacementLoss(PathIndex(5, (24, 24))), "irn").train()
    terms = model(torch.from_numpy(FIGURES["y"]), torch.from_numpy(FIGURES["label"]))
    total_loss(terms).backward()
    return model, terms


@pytest.mark.parametrize("name", ["pos", "neg", "dp_fg", "dp_bg"])
def test_losses(training_step, name):
    assert_close(training_step[1][name], name)


def test_total_loss(training_step):
    assert_close(total_loss(training_step[1]), "total")


def test_gradient_of_every_trained_tensor(training_step):
    gradients = {
        name: parameter.grad.norm().item()
        for name, parameter in training_step[0].named_parameters()
        if parameter.grad is not None
    }
    expected = dict(zip(FIGURES["grad_names"].tolist(), FIGURES["grad_norms"], strict=True))
    assert gradients == pytest.approx(expected, rel=TOLERANCE)


def test_random_walk():
    scores, edge = torch.from_numpy(FIGURES["s"]), torch.from_numpy(FIGURES["e"])
    walked = propagate_to_edge(scores, edge, radius=5, beta=10, exp_times=8)
    assert_close(walked, "rw")
    for found, expected in zip(walked.numpy(), FIGURES["rw"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * expected.max())


def test_centroids():
    np.testing.assert_array_equal(find_centroids(FIGURES["d"]), FIGURES["cent"])


@pytest.mark.parametrize(("scale", "rows"), [(0.5, 1), (1.5, 5), (2.0, 5)])
def test_resizing_and_normalising(scale, rows):
    assert_close(normalize(planes(rescale(FIGURES["img"], scale)))[:, ::rows], f"scaled_{scale}")


def test_dense_crf_on_labels():
    (found,) = crf_inference_labels(FIGURES["img"], [FIGURES["lm"]], num_labels=3)
    assert (found == FIGURES["crf"]).mean() >= 0.999


def test_optimiser_and_its_schedule():
    weight = nn.Parameter(torch.arange(5.0))
    groups = [{"params": [weight], "lr": 0.1}]
    optimizer = make_optimizer("sgd", groups, momentum=1e-4, weight_decay=1e-4)
    schedule, steps = Schedule(batch_size=1, steps=20), []
    for step in range(20):
        optimizer.param_groups[0]["lr"] = 0.1 * schedule.rate(step, 20)
        optimizer.zero_grad()
        ((weight - 1) ** 2).sum().backward()
        optimizer.step()
        steps.append(weight.detach().clone())
    # Closer than elsewhere: so small a decay and momentum hardly show at 1e-4.
    np.testing.assert_allclose(torch.stack(steps).numpy(), FIGURES["poly"], rtol=1e-6)
