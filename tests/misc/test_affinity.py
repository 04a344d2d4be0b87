import math

import pytest
import torch

from misc.affinity import (
    affinity_displacement_losses,
    pair_sums,
    total_loss,
)
from misc.indexing import pair_offsets, path_maxima, path_pixels

TERMS = ("pos", "neg", "dp_fg", "dp_bg")


def blocks(height: int, width: int, *, batch: int = 2, seed: int = 0) -> torch.Tensor:
    """Random label maps of 3x3 blocks: background, two classes and ignored pixels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(5, (batch, height // 3 + 1, width // 3 + 1), generator=generator)
    fine = coarse.repeat_interleave(3, dim=1).repeat_interleave(3, dim=2)
    return torch.tensor([0, 0, 1, 2, 255])[fine[:, :height, :width]]


def random_predictions(label: torch.Tensor, *, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logit = 3 * torch.randn(label.shape, generator=generator)[:, None]
    displacement = 4 * torch.randn(label.shape[0], 2, *label.shape[1:], generator=generator)
    return logit.requires_grad_(), displacement.requires_grad_()


def brute_force(logit, displacement, label, radius):
    """The four terms and the counts, pair by pair."""
    boundary = logit.sigmoid()[:, 0]
    losses = {kind: [] for kind in ("bg", "fg", "neg", "dp_fg", "dp_bg")}
    batch, height, width = label.shape
    for image in range(batch):
        for y in range(height - radius + 1):
            for x in range(radius - 1, width - radius + 1):
                for dy, dx in pair_offsets(radius):
                    source, target = label[image, y, x].item(), label[image, y + dy, x + dx].item()
                    if 255 in (source, target):
                        continue
                    path = [boundary[image, y + py, x + px] for py, px in path_pixels(dy, dx)]
                    affinity = 1 - torch.stack(path).max()
                    d = displacement[image, :, y, x] - displacement[image, :, y + dy, x + dx]
                    if source != target:
                        losses["neg"].append(-torch.log(1 + 1e-5 - affinity))
                    elif source == 0:
                        losses["bg"].append(-torch.log(affinity + 1e-5))
                        losses["dp_bg"].append(d.abs().sum())
                    else:
                        losses["fg"].append(-torch.log(affinity + 1e-5))
                        losses["dp_fg"].append((d - d.new_tensor([dy, dx])).abs().sum())
    total = {kind: sum(values) for kind, values in losses.items()}
    n_bg, n_fg, n_neg = (len(losses[kind]) for kind in ("bg", "fg", "neg"))
    terms = {
        "pos": total["bg"] / (n_bg + 1e-5) / 2 + total["fg"] / (n_fg + 1e-5) / 2,
        "neg": total["neg"] / (n_neg + 1e-5),
        "dp_fg": total["dp_fg"] / (2 * n_fg + 1e-5),
        "dp_bg": total["dp_bg"] / (2 * n_bg + 1e-5),
    }
    return terms, [n_bg, n_fg, n_neg]


@pytest.mark.parametrize(
    ("radius", "height", "width", "seed"), [(3, 8, 9, 0), (5, 9, 13, 0), (10, 12, 21, 3)]
)
def test_terms_gradients_and_counts_are_those_of_a_sum_over_pairs(radius, height, width, seed):
    label = blocks(height, width, seed=seed)
    logit, displacement = random_predictions(label)
    exact_inputs = [x.detach().double().requires_grad_() for x in (logit, displacement)]
    expected, counts = brute_force(*exact_inputs, label, radius)

    terms = affinity_displacement_losses(logit, displacement, label, radius=radius)

    sums = pair_sums(logit, displacement, label, radius=radius)
    assert sums.counts.tolist() == counts
    assert min(counts) > 0
    inputs = dict(zip(TERMS, (0, 0, 1, 1), strict=True))
    for name, which in inputs.items():
        assert terms[name].item() == pytest.approx(expected[name].item(), rel=1e-5)
        (gradient,) = torch.autograd.grad(
            terms[name], (logit, displacement)[which], retain_graph=True
        )
        (exact,) = torch.autograd.grad(expected[name], exact_inputs[which], retain_graph=True)
        torch.testing.assert_close(
            gradient.double(), exact, rtol=1e-4, atol=1e-5 * exact.abs().max().item()
        )


def test_hand_computed_terms_at_radius_two():
    # One source, (0, 1), and four targets: (0, 2), (1, 0), (1, 1), (1, 2).
    label = torch.tensor([[[255, 1, 1], [2, 1, 255]]])
    boundary = torch.tensor([[[0.5, 0.1, 0.2], [0.3, 0.4, 0.9]]])
    displacement = torch.zeros(1, 2, 2, 3)
    displacement[0, :, 0, 1] = torch.tensor([1.0, 2.0])
    displacement[0, :, 0, 2] = torch.tensor([0.0, 1.5])
    terms = affinity_displacement_losses(
        boundary.logit(), displacement, label, radius=2
    )  # foreground: to (0, 2) over 0.2 and to (1, 1) over 0.4; negative: to (1, 0) over 0.5
    assert terms["pos"].item() == pytest.approx(-math.log(0.8 * 0.6) / 4, rel=1e-4)
    assert terms["neg"].item() == pytest.approx(-math.log(0.5), rel=1e-4)
    # (1, 2) - (0, 1.5) - (0, 1) = (1, -0.5) and (1, 2) - (0, 0) - (1, 0) = (0, 2).
    assert terms["dp_fg"].item() == pytest.approx((1.5 + 2) / 4, rel=1e-4)
    assert terms["dp_bg"].item() == 0


@pytest.mark.parametrize("shape", [(2, 12, 21), (1, 9, 30), (1, 30, 18), (1, 1, 1)])
def test_no_valid_pair_gives_zero_terms_and_zero_gradients(shape):
    label = torch.full(shape, 255) if shape == (2, 12, 21) else torch.ones(shape).long()
    logit, displacement = random_predictions(label)
    terms = affinity_displacement_losses(logit, displacement, label, radius=10)
    assert [terms[name].item() for name in TERMS] == [0, 0, 0, 0]
    total_loss(terms).backward()
    assert not logit.grad.any()
    assert not displacement.grad.any()


def test_a_tie_shares_one_unit_of_gradient_among_the_tied_pixels():
    boundary = torch.zeros(2, 3)
    boundary[0, 1] = boundary[0, 2] = 1.0
    boundary.requires_grad_()
    path_maxima(boundary, radius=2)[0].sum().backward()  # (0, 1) to (0, 2)
    assert boundary.grad.tolist() == [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]


def test_saturated_boundaries_stay_finite():
    label = blocks(8, 9)
    logit, displacement = random_predictions(label)
    terms = affinity_displacement_losses(1e4 * logit, displacement, label, radius=3)
    total_loss(terms).backward()
    assert all(term.isfinite() for term in terms.values())
    assert logit.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_around_the_losses_changes_neither_them_nor_their_gradients(dtype):
    label = blocks(12, 14)
    inputs = random_predictions(label)
    expected = affinity_displacement_losses(*inputs, label, radius=4)
    with torch.autocast("cpu", dtype):
        terms = affinity_displacement_losses(*inputs, label, radius=4)
        total = total_loss(terms)
    assert terms == expected
    assert total.dtype == torch.float32
    gradients = torch.autograd.grad(total, inputs)
    for gradient, exact in zip(
        gradients, torch.autograd.grad(total_loss(expected), inputs), strict=True
    ):
        assert torch.equal(gradient, exact)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_terms_and_gradients_of_the_cpu():
    label = blocks(30, 40)
    results = []
    for device in ("cpu", "cuda"):
        logit, displacement = (x.detach().to(device) for x in random_predictions(label))
        inputs = (logit.requires_grad_(), displacement.requires_grad_())
        terms = affinity_displacement_losses(*inputs, label.to(device), radius=10)
        gradients = torch.autograd.grad(total_loss(terms), inputs)
        results.append([x.detach().cpu() for x in (*terms.values(), *gradients)])
    for on_cpu, on_gpu in zip(*results, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-4, atol=1e-6)
