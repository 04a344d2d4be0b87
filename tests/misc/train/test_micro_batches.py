"""A batch in parts, one after the other, gives the losses and gradients of the whole batch."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from misc import amn
from misc.affinity import LOSS_WEIGHTS, count_pairs
from misc.indexing import PathIndex
from misc.machine.device import Compute
from misc.train.curves import read_curves
from misc.train.samples import ImageSamples
from misc.train.training import Schedule, Training, count_images, train
from net.amn import AMN
from net.deeplab import DeepLab, labelled_pixels
from net.map_net import map_net
from step.train_amn import losses as amn_losses
from step.train_cam import classification_loss
from step.train_deeplab import segmentation_loss
from step.train_irn import relation_losses
from step.train_recam import recam_losses
from tests.tiny_networks import AffinityDisplacementLoss, Net, tiny_detector_and_deeplab

SIDE, RADIUS, CLASSES = 96, 4, 3


class Images:
    """Eight images; the label map of each covers one more eighth."""

    collate = staticmethod(default_collate)
    normalized = staticmethod(ImageSamples.normalized)

    def __init__(self, label_side, has_classes):
        self.label_side, self.has_classes = label_side, has_classes

    def __len__(self):
        return 8

    def sample(self, index, rng):
        crop = torch.from_numpy(rng.integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8))
        found = [crop, torch.tensor([0, SIDE, 0, SIDE])]
        if self.label_side:
            label = np.full((self.label_side, self.label_side), 255, np.uint8)
            rows = self.label_side * index // 8
            label[:rows] = rng.integers(0, CLASSES + 1)
            label[:rows, : rng.integers(1, self.label_side)] = 0
            found.append(label)
        if self.has_classes:
            found.append(rng.integers(0, 2, CLASSES).astype(np.float32))
        return found


def without_dropout():
    model = AMN(CLASSES)
    model.dropout.p = 0.0
    return model


def relations():
    return AffinityDisplacementLoss(PathIndex(RADIUS, (SIDE // 4, SIDE // 4)))


TRAININGS = {
    "cam": (partial(Net, CLASSES), classification_loss, count_images, 0, True),
    "recam": (lambda: map_net(Net(CLASSES), "recam"), recam_losses, count_images, 0, True),
    "amn": (without_dropout, amn_losses, lambda b: amn.count_pixels(b[1]), SIDE // 16, True),
    "irn": (relations, relation_losses, lambda b: count_pairs(b[1], radius=RADIUS), 24, False),
    "deeplab": (
        partial(DeepLab, CLASSES + 1),
        segmentation_loss,
        lambda b: labelled_pixels(b[1]),
        SIDE,
        False,
    ),
}


def step(folder, name, micro_batch, **changes):
    """Take one step; return the loss terms and the gradients."""
    build, losses, counts, *of_images = TRAININGS[name]
    torch.manual_seed(0)
    with tiny_detector_and_deeplab():
        model = build()
    train(
        Training(
            name=name,
            weights=folder / str(micro_batch),
            compute=Compute(device=torch.device("cpu")),
            micro_batch=micro_batch,
        ),
        model,
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1),
        Images(*of_images),
        losses,
        Schedule(epochs=1, batch_size=8),
        term_weights=LOSS_WEIGHTS,
        **{"counts": counts, **changes},
    )
    terms = read_curves(folder / f"{micro_batch}.curve.jsonl")
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {term: values[0] for term, (_, values) in terms.items()}, gradients


@pytest.mark.parametrize("name", TRAININGS)
def test_parts_add_up_to_the_batch(tmp_path, name):
    terms, gradients = step(tmp_path, name, 0)
    assert all(value > 0 for value in terms.values())
    for micro_batch in (1, 3):
        found, found_gradients = step(tmp_path, name, micro_batch)
        assert found == pytest.approx(terms, rel=1e-6)
        assert found_gradients.keys() == gradients.keys()
        for key, gradient in gradients.items():
            tolerance = 1e-5 * float(gradient.abs().max())
            torch.testing.assert_close(found_gradients[key], gradient, rtol=0, atol=tolerance)


def test_a_network_with_counts_of_its_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--micro_batch: the network divides its losses by"):
        step(tmp_path, "irn", 4, counts=lambda batch: count_pairs(batch[1], radius=2))
