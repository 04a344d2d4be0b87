import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from misc.indexing import pair_offsets, path_maxima, path_pixels


def brute_force(boundary: torch.Tensor, radius: int) -> torch.Tensor:
    """(P, rows, columns) maxima of a (H, W) map, pixel by pixel."""
    height, width = boundary.shape
    maxima = [
        max(boundary[y + dy, x + dx].item() for dy, dx in path_pixels(*offset))
        for offset in pair_offsets(radius)
        for y in range(height - radius + 1)
        for x in range(radius - 1, width - radius + 1)
    ]
    return torch.tensor(maxima).view(-1, height - radius + 1, width - 2 * (radius - 1))


def test_hand_computed_at_radius_two():
    boundary = torch.tensor([[9.0, 1.0, 2.0], [3.0, 0.0, 5.0]])
    # Source (0, 1) alone; both diagonals' paths take in the whole 2x2 square.
    maxima = path_maxima(boundary, radius=2)
    assert pair_offsets(2) == ((0, 1), (1, -1), (1, 0), (1, 1))
    assert [value.tolist() for value in maxima] == [[[2.0]], [[9.0]], [[1.0]], [[5.0]]]


@given(
    st.integers(2, 6),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 2**31),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_equals_the_maximum_over_the_pixels_of_each_path(radius, more_rows, more_columns, seed):
    height, width = radius + more_rows, 2 * radius - 1 + more_columns
    boundary = torch.rand(height, width, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(torch.stack(path_maxima(boundary, radius)), brute_force(boundary, radius))


def test_radius_ten_equals_the_maximum_over_the_pixels_of_each_path():
    boundary = torch.rand(12, 22, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.stack(path_maxima(boundary, 10)), brute_force(boundary, 10))


@pytest.mark.parametrize("shape", [(1, 1), (4, 30), (30, 8), (4, 8), (0, 0)])
def test_a_grid_smaller_than_the_radius_has_no_pair(shape):
    maxima = path_maxima(torch.rand(2, *shape), radius=5)
    expected = (2, max(0, shape[0] - 4), max(0, shape[1] - 8))
    assert [value.shape for value in maxima] == [expected] * 34
    assert sum(value.numel() for value in maxima) == 0


def test_gradient_is_that_of_finite_differences():
    distinct = torch.randperm(35, generator=torch.Generator().manual_seed(0)).double() / 35
    boundary = distinct.view(5, 7).requires_grad_()
    weights = torch.arange(1.0, 13.0, dtype=torch.float64)  # the paths must not be alike

    def weighted(boundary):
        return sum(
            (weight * value).sum()
            for weight, value in zip(weights, path_maxima(boundary, 3), strict=True)
        )

    assert torch.autograd.gradcheck(weighted, boundary)


def test_a_tie_shares_one_unit_of_gradient_among_the_tied_pixels():
    boundary = torch.zeros(2, 3)
    boundary[0, 1] = boundary[0, 2] = 1.0
    boundary.requires_grad_()
    path_maxima(boundary, radius=2)[0].sum().backward()  # (0, 1) to (0, 2)
    assert boundary.grad is not None
    assert boundary.grad.tolist() == [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
