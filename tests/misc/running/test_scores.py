"""What the walk and the split into instances do when they are switched off or set otherwise."""

import numpy as np
import pytest
import torch

from misc.indexing import propagate_to_edge
from misc.instances import separate_scores
from misc.running.scores import Split, Walk, owners_of


@pytest.fixture
def fields():
    """Give scores (2, 9, 12), a boundary (1, 9, 12) and a displacement to two centres."""
    generator = torch.Generator().manual_seed(0)
    scores, boundary = (torch.rand(n, 9, 12, generator=generator) for n in (2, 1))
    displacement = np.zeros((2, 9, 12), np.float32)
    displacement[0] = 4 - np.arange(9)[:, None]
    displacement[1] = np.where(np.arange(12) < 6, 2, 9) - np.arange(12)
    return scores, boundary, displacement


def test_a_walk_that_is_off_leaves_scores_as_they_are_whatever_the_boundary(fields):
    scores, boundary, _ = fields
    walk = Walk(on=False, radius=5, beta=10, exp_times=8)
    assert (walk(scores, boundary)[:, 0] == scores.numpy()).all()
    by_instance = torch.stack([scores, 2 * scores], 1)
    walked = walk(by_instance, boundary)
    assert walked.shape == (4, 1, 9, 12)
    assert (walked == by_instance.flatten(0, 1)[:, None].numpy()).all()


@pytest.mark.parametrize(("radius", "beta", "exp_times"), [(3, 10, 8), (5, 4, 8), (5, 10, 2)])
def test_a_walk_has_its_own_radius_power_and_steps(fields, radius, beta, exp_times):
    scores, boundary, _ = fields
    walked = Walk(on=True, radius=radius, beta=beta, exp_times=exp_times)(scores, boundary)
    expected = propagate_to_edge(scores, boundary, radius=radius, beta=beta, exp_times=exp_times)
    usual = propagate_to_edge(scores, boundary)
    assert (walked == expected.numpy()).all()
    assert not np.allclose(walked, usual.numpy(), atol=1e-3)


def test_a_split_that_is_off_makes_all_of_the_image_one_instance(fields):
    scores, _, displacement = fields
    whole = Split(on=False, small_displacement=1.0)(displacement)
    parts = Split(on=True, small_displacement=1.0)(displacement)
    assert (whole.dtype, whole.shape) == (parts.dtype, parts.shape)
    assert (whole.max(), parts.max()) == (0, 1)
    assert (separate_scores(scores, whole)[:, 0] == scores).all()


def test_each_propagated_map_has_the_class_that_it_is_of():
    keys = np.array([3, 7])
    assert owners_of(np.zeros((6, 1, 2, 2)), keys).tolist() == [3, 3, 3, 7, 7, 7]
    assert owners_of(np.zeros((0, 1, 2, 2)), keys[:0]).tolist() == []
