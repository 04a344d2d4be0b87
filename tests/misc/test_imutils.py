import numpy as np
import torch

from misc.imutils import (
    normalize,
    normalize_crop,
    planes,
    random_window,
    rescale,
)


def colour_image(height=6, width=9):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_quarter_by_nearest_takes_each_third_pixel_of_four():
    label = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (rescale(label, 0.25, nearest=True) == label[2::4, 2::4]).all()


def test_a_crop_is_normalized_inside_its_image_and_0_outside():
    window = random_window((6, 9), 12, np.random.default_rng(1))
    image = torch.from_numpy(window.cut(colour_image().transpose(2, 0, 1), 0))
    crops = normalize_crop(image[None], torch.from_numpy(window.extent)[None])
    expected = window.cut(normalize(planes(colour_image())).numpy(), 0)
    assert (crops[0].numpy() == expected).all()


def test_a_random_window_shifts_a_long_axis_in_the_image_and_a_short_one_in_the_canvas():
    rng = np.random.default_rng(0)
    image = np.arange(1, 21, dtype=np.float32).reshape(2, 10)
    columns, rows = set(), set()
    for _ in range(200):
        crop = random_window((2, 10), 4, rng).cut(image, 0)
        filled = np.flatnonzero(crop.any(axis=1))
        assert crop.shape == (4, 4)
        assert (crop[filled[0]] == np.arange(crop[filled[0], 0], crop[filled[0], 0] + 4)).all()
        columns.add(int(crop[filled[0], 0]) - 1)
        rows.add(int(filled[0]))
    assert columns == set(range(7))
    assert rows == set(range(3))
