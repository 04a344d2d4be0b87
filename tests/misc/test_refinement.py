import numpy as np

from misc.crf import crf_inference_labels
from misc.refinement import refine_winners


def two_objects():
    """Give an image of two squares on a ground, and a map that is too small and one too large."""
    image = np.full((40, 60, 3), 90, np.uint8)
    image[10:30, 6:26], image[10:30, 34:54] = (200, 60, 40), (40, 60, 200)
    image += np.random.default_rng(0).integers(0, 6, image.shape, np.uint8)
    small, large = np.zeros((2, 40, 60), np.int32)
    small[13:28, 9:24] = large[7:33, 3:29] = 4
    small[13:28, 37:52] = large[7:33, 31:57] = 7
    truth = np.zeros((40, 60), np.int32)
    truth[10:30, 6:26], truth[10:30, 34:54] = 4, 7
    return image, [small, large], truth


def test_borders_move_to_the_edges_and_numbers_stay():
    image, maps, truth = two_objects()
    for given, found in zip(maps, refine_winners(image, maps, backend="torch"), strict=True):
        assert found.dtype == np.int32
        assert set(np.unique(found)) == {0, 4, 7}
        assert (given != truth).mean() > 0.1
        assert (found != truth).mean() < 0.01


def test_a_map_is_refined_as_the_crf_refines_its_numbers_alone():
    image, maps, _ = two_objects()
    (found,) = refine_winners(image, maps[:1], backend="torch")
    numbers = np.array([0, 4, 7])
    (labels,) = crf_inference_labels(image, [np.searchsorted(numbers, maps[0])], num_labels=3)
    assert (found == numbers[labels]).all()


def test_a_map_does_not_depend_on_those_that_are_refined_with_it():
    """A map without the second object has fewer labels for its CRF."""
    image, maps, _ = two_objects()
    every = [*maps, np.where(maps[0] == 7, 0, maps[0]), np.zeros((40, 60), np.int32)]
    for given, found in zip(every, refine_winners(image, every, backend="torch"), strict=True):
        (alone,) = refine_winners(image, [given], backend="torch")
        assert found.dtype == np.int32
        assert (found == alone).all()
