"""Networks, losses, walk and stages on a CUDA device that is not there: torch's fake tensors.

A fake tensor has a shape, a dtype and a device but no values, and operations on tensors of two
devices are refused as on a real GPU: a tensor that was made on the CPU is found. What cannot be
faked is replaced by something of the same shape and device: bincount, whose result has as many
entries as its input says, and sparse tensors, whose products only real devices have. Mask R-CNN's
proposals depend on values throughout, so that only its backbone and heads of proposals are tried.
"""

import contextlib
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from misc.indexing import PathIndex, _row_entries, propagate_to_edge
from misc.instances import separate_scores, upsample_scores
from misc.machine.device import Compute
from misc.run import synthesis
from misc.train.inference import probabilities, scale_maps
from misc.train.samples import ImageSamples
from net.deeplab import DeepLab
from net.mask_rcnn import mask_rcnn
from net.resnet50_cam import CAM, Net
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement
from step.train_cam import classification_loss
from step.train_deeplab import segmentation_loss
from step.train_irn import relation_losses

pytestmark = pytest.mark.skipif(
    torch.__version__ < "2.5" and not torch.cuda.is_available(),
    reason="fake tensors of torch before 2.5 ask for a CUDA driver",
)


def counted(values, minlength):
    return values.new_zeros(minlength, dtype=torch.int64)


def dense(starts, columns, values, size, check_invariants):
    assert starts.device == columns.device == values.device
    return values.new_zeros(size)


@contextlib.contextmanager
def faked_cuda():
    """Give what a run on CUDA computes with; within, no tensor has values."""
    compute = Compute(device=torch.device("cuda"), precision="bf16")
    replaced = {
        "torch.bincount": counted,
        "torch.sparse_csr_tensor": dense,
        # Without these, autocast on CUDA switches itself off where no CUDA is.
        "torch.cuda.amp.common.amp_definitely_not_available": lambda: False,
        "torch.cuda.is_bf16_supported": lambda *_: True,
    }
    with contextlib.ExitStack() as stack:
        for name, replacement in replaced.items():
            stack.enter_context(mock.patch(name, replacement))
        stack.enter_context(FakeTensorMode())
        stack.callback(_row_entries.cache_clear)  # it would keep fakes for other tests
        _row_entries.cache_clear()
        yield compute


def built(compute, network, *settings, **options):
    """Build a network on the device: a fake cannot be moved there."""
    with compute.device:
        return network(*settings, backbone="resnet18", **options)


def normalised(compute, *size):
    return torch.rand(*size).to(compute.device)


def assert_on(compute, *tensors):
    assert {tensor.device.type for tensor in tensors} == {compute.device.type}


def test_a_tensor_made_on_the_cpu_is_found():
    with faked_cuda() as compute, pytest.raises(RuntimeError, match="cuda:0 and cpu"):
        normalised(compute, 2, 2) + torch.ones(2, 2)


def test_scores_walk_over_irnets_boundaries():
    with faked_cuda() as compute, torch.no_grad(), compute.autocast():
        model = built(compute, EdgeDisplacement, crop_size=64).eval()
        edge, displacement = model(normalised(compute, 2, 3, 60, 70))
        cam = normalised(compute, 2, 15, 18)
        walked = propagate_to_edge(separate_scores(cam, np.zeros((15, 18), np.int32)), edge)
        large = upsample_scores(walked, (60, 70))
        assert_on(compute, edge, displacement, walked, large)
        assert {t.dtype for t in (edge, displacement, walked, large)} == {torch.float32}


def test_mask_rcnn_finds_maps_and_scores_of_proposals():
    with faked_cuda() as compute, torch.no_grad():
        model = built(compute, mask_rcnn, 4, min_size=64, max_size=96)
        model.backbone.autocast = compute.autocast()
        levels = model.backbone(normalised(compute, 1, 3, 64, 96))
        logits, deltas = model.rpn.head(list(levels.values()))
        assert_on(compute, *levels.values(), *logits, *deltas)
        assert {level.dtype for level in levels.values()} == {torch.float32}


def image(*size):
    """Give an image as a loader does: uint8 on the CPU."""
    return torch.zeros(3, *size, dtype=torch.uint8)


def crops(*labels):
    extent = torch.tensor([[0, 64, 0, 50]] * 2)
    return torch.zeros(2, 3, 64, 64, dtype=torch.uint8), extent, *labels


def test_make_cam_moves_images_to_the_device_and_keeps_maps_there():
    with faked_cuda() as compute, torch.no_grad():
        model = built(compute, CAM, 20).eval()
        scales, keys = [image(60, 70), image(30, 35)], np.array([3])
        maps = scale_maps.__wrapped__(model, scales, keys=keys, compute=compute)
        assert_on(compute, *maps)
        assert {scale.dtype for scale in maps} == {torch.float32}


@pytest.mark.parametrize("kind", ["classification", "relation", "segmentation"])
def test_the_losses_of_the_training_stages_take_batches_as_they_come_from_a_loader(kind):
    grid = torch.zeros(2, 16, 16, dtype=torch.uint8)
    losses, network, label = {
        "classification": (classification_loss, (Net, 20), torch.zeros(2, 20)),
        "relation": (relation_losses, (AffinityDisplacementLoss, PathIndex(5, (16, 16))), grid),
        "segmentation": (segmentation_loss, (DeepLab, 21), torch.zeros(2, 64, 64)),
    }[kind]
    with faked_cuda() as compute, compute.autocast():
        model = built(compute, *network).train()
        label = torch.zeros(label.shape, dtype=label.dtype)
        terms = losses(model, ImageSamples.normalized(compute.put(crops(label))))
        assert_on(compute, *terms.values())


def test_the_label_stages_walk_on_the_device(monkeypatch):
    walked = []

    def propagate(maps, *settings):
        walked.append(propagate_to_edge(maps, *settings))
        return walked[-1]

    monkeypatch.setattr(synthesis, "propagate_to_edge", propagate)
    monkeypatch.setattr(torch.Tensor, "numpy", lambda field: field)  # a fake has no values
    scores = synthesis.ScoreSettings(radius=5, beta=10, exp_times=8, background_power=8)
    by_instance = replace(scores, small_displacement=2.5)
    settings = [
        synthesis.LabelSettings(kind="instance", scores=by_instance, background=0.25),
        synthesis.LabelSettings(kind="semantic", scores=scores, background=0.25),
    ]
    with faked_cuda() as compute:
        model = built(compute, EdgeDisplacement, crop_size=64).eval()
        fields = synthesis.apply_irnet(model, compute, image(60, 70))
        cam = torch.zeros(2, 15, 18)
        inputs = synthesis.Inputs(image=image(60, 70), cam=cam, keys=np.arange(2))
        way = synthesis.synthesise(fields, inputs, settings, finish=list)
        job = next(way)
        assert job.args[0].device.type == "cpu"
        way.send(np.zeros((15, 18), np.int32))
        assert_on(compute, *walked)
        assert [scores.shape for scores in walked] == [(3, 1, 15, 18)] * 2


def test_deeplabs_probabilities_are_averaged_on_the_device():
    with faked_cuda() as compute, torch.no_grad():
        model = built(compute, DeepLab, 21).eval()
        found = probabilities.__wrapped__(model, [image(60, 70), image(30, 35)], (15, 18), compute)
        assert_on(compute, found)
