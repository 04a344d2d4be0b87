"""Networks, losses and walk on a CUDA device that is not there: torch's fake tensors.

A fake tensor has a shape, a dtype and a device but no values, and operations on tensors of two
devices are refused as on a real GPU: a tensor that was made on the CPU is found. What cannot be
faked is replaced by something of the same shape and device: bincount, whose result has as many
entries as its input says, and sparse tensors, whose products only real devices have. Mask R-CNN's
proposals depend on values throughout, so that only its backbone and heads of proposals are tried.
Autograd asks a real CUDA driver for its streams: backward passes run on fake `meta` tensors.
"""

import contextlib
from unittest import mock

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from misc.affinity import total_loss
from misc.device import Compute
from misc.indexing import PathIndex, _row_entries, propagate_to_edge
from misc.instances import separate_scores, upsample_scores
from net.deeplab import DeepLab, label_loss
from net.mask_rcnn import mask_rcnn
from net.resnet50_cam import CAM, Net
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement

PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16"])
DEVICES = pytest.mark.parametrize("device", ["cuda", "meta"])


def counted(values, minlength):
    return values.new_zeros(minlength, dtype=torch.int64)


def dense(starts, columns, values, size, check_invariants):
    assert starts.device == columns.device == values.device
    return values.new_zeros(size)


@contextlib.contextmanager
def faked(device, precision="fp32"):
    """Give what a run on a device computes with; within, every tensor is a fake."""
    compute = Compute(device=torch.device(device), precision=precision)
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
        return network(*settings, **options)


def normalised(compute, *size):
    return torch.rand(*size).to(compute.device)


def labels(compute, *size):
    return torch.zeros(size, dtype=torch.uint8).to(compute.device)


def backward(loss, model):
    """Compute the gradients, where there is a device for them."""
    assert loss.dtype == torch.float32
    if loss.device.type == "meta":
        loss.backward()
        assert any(parameter.grad is not None for parameter in model.parameters())


def assert_on(compute, *tensors):
    assert {tensor.device.type for tensor in tensors} == {compute.device.type}


def test_a_tensor_made_on_the_cpu_is_found():
    with faked("cuda") as compute, pytest.raises(RuntimeError, match="cuda:0 and cpu"):
        normalised(compute, 2, 2) + torch.ones(2, 2)


@PRECISIONS
def test_autocast_computes_in_its_dtype(precision):
    with faked("cuda", precision) as compute, compute.autocast():
        square = normalised(compute, 2, 2) @ normalised(compute, 2, 2)
    assert square.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


@DEVICES
@pytest.mark.parametrize("train_whole", [False, True])
def test_the_classification_network_learns(device, train_whole):
    with faked(device) as compute:
        model = built(compute, Net, 20, train_whole=train_whole).train()
        logit = model(normalised(compute, 2, 3, 64, 80))
        target = torch.zeros(2, 20).to(compute.device)
        assert_on(compute, logit)
        backward(torch.nn.functional.multilabel_soft_margin_loss(logit, target), model)


@PRECISIONS
def test_class_attention_maps_are_made(precision):
    with faked("cuda", precision) as compute, torch.no_grad(), compute.autocast():
        model = built(compute, CAM, 20).eval()
        assert_on(compute, model(normalised(compute, 2, 3, 64, 80)))


@DEVICES
def test_irnet_learns(device):
    with faked(device) as compute:
        model = built(compute, AffinityDisplacementLoss, PathIndex(5, (16, 20))).train()
        terms = model(normalised(compute, 2, 3, 64, 80), labels(compute, 2, 16, 20))
        assert_on(compute, *terms.values())
        backward(total_loss(terms), model)


def test_irnet_learns_under_autocast():
    with faked("cuda", "bf16") as compute, compute.autocast():
        model = built(compute, AffinityDisplacementLoss, PathIndex(5, (16, 20))).train()
        terms = model(normalised(compute, 2, 3, 64, 80), labels(compute, 2, 16, 20))
    assert_on(compute, *terms.values())
    assert {term.dtype for term in terms.values()} == {torch.float32}


@PRECISIONS
def test_scores_walk_over_irnets_boundaries(precision):
    with faked("cuda", precision) as compute, torch.no_grad(), compute.autocast():
        model = built(compute, EdgeDisplacement, crop_size=64).eval()
        edge, displacement = model(normalised(compute, 2, 3, 60, 70))
        cam = normalised(compute, 2, 15, 18)
        walked = propagate_to_edge(separate_scores(cam, np.zeros((15, 18), np.int32)), edge)
        large = upsample_scores(walked, (60, 70))
        assert_on(compute, edge, displacement, walked, large)
        assert {t.dtype for t in (edge, displacement, walked, large)} == {torch.float32}


@DEVICES
def test_deeplab_learns(device):
    with faked(device) as compute:
        model = built(compute, DeepLab, 21).train()
        logit = model(normalised(compute, 2, 3, 65, 65))
        loss = label_loss(logit, labels(compute, 2, 65, 65), ignore=255)
        assert_on(compute, logit, loss)
        backward(loss, model)


@PRECISIONS
def test_mask_rcnn_finds_maps_and_scores_of_proposals(precision):
    with faked("cuda", precision) as compute, torch.no_grad():
        model = built(compute, mask_rcnn, 4, min_size=64, max_size=96)
        model.backbone.autocast = compute.autocast()
        levels = model.backbone(normalised(compute, 1, 3, 64, 96))
        logits, deltas = model.rpn.head(list(levels.values()))
        assert_on(compute, *levels.values(), *logits, *deltas)
        assert {level.dtype for level in levels.values()} == {torch.float32}
