import numpy as np
import pytest

from misc.crf import crf_inference_labels
from misc.refinement import gathering, refine_winners, with_unsure


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


@pytest.mark.parametrize("backend", ["torch", None])
def test_background_alone_and_no_crf_change_nothing(backend):
    image, maps, _ = two_objects()
    given = [np.zeros((40, 60), np.int32)] if backend else maps
    for before, after in zip(given, refine_winners(image, given, backend=backend), strict=True):
        assert (before == after).all()


def test_without_an_image_there_is_no_crf_and_one_that_is_asked_for_is_not_left_out():
    _, maps, _ = two_objects()
    for before, after in zip(maps, refine_winners(None, maps, backend=None), strict=True):
        assert before is after
    with pytest.raises(ValueError, match="image"):
        refine_winners(None, maps, backend="torch")


def test_unsure_is_what_the_bounds_decide_differently():
    possible, certain = np.array([[0, 3, 3, 5]], np.uint8), np.array([[0, 0, 3, 3]], np.uint8)
    found = with_unsure(possible, certain)
    assert (found.dtype, found.tolist()) == (np.uint8, [[0, 255, 3, 255]])


def disc(radius, gathered, size=(120, 200)):
    """Give a disc's mask, and a field whose pixels go this share of the way to its centre."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    offset = np.stack([size[0] / 2 - rows, size[1] / 2 - columns])
    mask = np.hypot(*offset) <= radius
    field = gathered * (offset * mask)[:, 2::4, 2::4] / 4
    return mask, field.astype(np.float32)


@pytest.mark.parametrize("radius", [12, 24, 48])
def test_a_gathered_object_is_gathered_whatever_its_size(radius):
    # The mean distance to a disc's centre is two thirds of its radius.
    mask, field = disc(radius, gathered=0.45)
    (share,) = gathering(mask[None], field, full=0.6)
    assert share == pytest.approx(0.5, abs=0.03)
    assert gathering(mask[None], field, full=0.2).tolist() == [1]


def test_a_background_that_the_field_does_not_gather_is_not():
    mask, field = disc(24, gathered=1)
    background = ~mask
    background[:, :100] = False
    empty = np.zeros_like(mask)
    found = gathering(np.stack([mask, background, empty]), field, full=0.3)
    assert found.dtype == np.float32
    assert found[0] == 1
    assert found[1] < 0.05  # the cells of the border are the object's
    assert found[2] == 0
    assert gathering(np.zeros((0, 120, 200), bool), field, full=0.3).shape == (0,)


def test_sides_that_4_does_not_divide_are_gathered_over():
    mask = np.ones((37, 50), bool)
    field = np.zeros((2, 10, 13), np.float32)
    field[0] = np.sqrt(37 * 50 / np.pi) / 4
    assert gathering(mask[None], field, full=1).tolist() == pytest.approx([1])


def test_without_a_field_nothing_is_gathered():
    with pytest.raises(ValueError, match="displacement field: found None"):
        gathering(np.ones((1, 8, 8), bool), None, full=0.3)
