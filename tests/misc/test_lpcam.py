import numpy as np
import pytest
import torch
import torch.nn.functional as F

from misc.lpcam import cluster, lpcam_maps, prototype_weight, split_features

RNG = np.random.default_rng(0)


def test_maps_are_the_mean_cosine_to_prototypes_less_that_to_context():
    features, classifier = torch.randn(2, 8, 5, 6).relu(), torch.randn(1, 8)
    foreground, context = torch.rand(4, 8), torch.rand(3, 8)
    # Of one class the probability is 1.
    weight = prototype_weight(foreground, context, classifier, 0, between=(0, 2))
    both = features[0] + features[1].flip(-1)
    cosines = [
        torch.stack([F.cosine_similarity(both, p[:, None, None], dim=0) for p in prototypes])
        for prototypes in (foreground, context)
    ]
    expected = (cosines[0].mean(dim=0) - cosines[1].mean(dim=0)).relu()
    found = lpcam_maps(features, classifier[..., None, None], weight[None, :, None, None])[0]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_classifier_in_place_of_prototypes_gives_cams_of_unit_features():
    features, classifier = torch.randn(1, 8, 5, 6).relu(), torch.randn(3, 8, 1, 1)
    pair = torch.cat([features, features.flip(-1)])
    cams = F.conv2d(F.normalize(features, dim=1), classifier).relu()[0]
    torch.testing.assert_close(lpcam_maps(pair, classifier, classifier), cams, rtol=1e-6, atol=1e-6)


def test_features_are_split_where_the_class_is_and_where_it_is_not():
    features = torch.arange(12.0).view(2, 2, 3)
    cam = torch.zeros(8, 12)
    cam[:4, 4:8], cam[4:, 8:] = 0.9, 0.5  # the stride is 4
    foreground, context = split_features(features, cam, 0.5)
    assert foreground.tolist() == [[1, 7]]
    assert context.tolist() == [[0, 6], [2, 8], [3, 9], [4, 10]]


def test_clusters_are_of_one_direction_and_their_centres_keep_the_lengths():
    steps = torch.linspace(1, 3, 9)[:, None]
    vectors = torch.cat([steps * torch.tensor([[1.0, 0.01]]), steps * torch.tensor([[0.0, 5]])])
    for seed in range(5):
        centres = cluster(vectors, 2, np.random.default_rng(seed))
        found = sorted(centres.tolist(), reverse=True)
        assert np.allclose(found, [[2, 0.02], [0, 10]])


@pytest.mark.parametrize("number", [0, 1, 3])
def test_no_more_vectors_than_clusters_are_their_own_centres(number):
    vectors = torch.rand(number, 4)
    found = cluster(vectors, 3, RNG)
    assert found.shape == (number, 4)
    assert sorted(found.tolist()) == sorted(vectors.tolist())


def test_prototypes_are_the_centres_that_the_classifier_is_sure_of():
    classifier = torch.eye(2)
    sure, unsure, other = torch.tensor([[5.0, 0], [1, 0], [0, 5]])

    def weight(foreground, context=()):
        centres = [torch.stack(c) if c else torch.zeros(0, 2) for c in (foreground, context)]
        return prototype_weight(*centres, classifier, 0, between=(0.05, 0.9)).tolist()

    assert weight([sure, unsure]) == [1, 0]
    assert weight([unsure, other]) == [1, 0]  # none is: the most probable one
    assert weight([other]) == [0, 1]
    assert weight([sure], [sure, other]) == [1, 0]  # neither is near the class and of another
    assert weight([other], [unsure]) == [-1, 1]
    assert weight([]) == [1, 0]  # no feature of the class: its classifier
