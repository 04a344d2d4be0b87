import numpy as np

from misc.files.palette import OBJECT_COLOURS, voc_palette
from misc.looking.pictures import (
    arrow_picture,
    centroid_picture,
    colour_wheel,
    field_picture,
    heat_colours,
    label_colours,
    lay,
)

IMAGE = np.full((6, 8, 3), 100, np.uint8)


def test_heat_goes_from_dark_blue_to_yellow():
    picture = heat_colours(np.array([[0.0, 1.0, 2.0]]))
    assert picture[0, 0].tolist() == [68, 1, 84]
    assert picture[0, 1].tolist() == [253, 231, 37]
    assert (picture[0, 2] == picture[0, 1]).all()


def test_a_label_has_its_palette_colour_and_the_background_is_clear():
    label = np.zeros((6, 8), np.uint8)
    label[0, 0] = 15
    picture = label_colours(label, voc_palette())
    assert picture[0, 0].tolist() == [*voc_palette()[15].tolist(), 255]
    assert not picture[1:, :, 3].any()


def test_what_is_laid_over_an_image_covers_it_by_its_opacity_and_not_where_it_is_clear():
    label = np.zeros((6, 8), np.uint8)
    label[0, 0] = 15
    picture = lay(IMAGE, label_colours(label, voc_palette()), 0.5)
    assert picture[0, 0].tolist() == ((100 + voc_palette()[15].astype(int)) // 2).tolist()
    assert (picture[1:] == IMAGE[1:]).all()


def test_a_smaller_picture_is_brought_to_the_images_size():
    assert (lay(IMAGE, np.full((3, 4, 3), 30, np.uint8), 1.0) == 30).all()


def test_directions_have_hues_and_no_displacement_is_white():
    field = np.zeros((2, 1, 3), np.float32)
    field[1, 0, 1], field[1, 0, 2] = 12, -12
    picture = field_picture(field)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1].tolist() == [255, 0, 0]
    assert picture[0, 2, 0] < 10


def test_the_wheel_has_the_hue_of_each_direction_at_its_rim_and_white_around_it():
    wheel = colour_wheel(65)
    east = np.zeros((2, 1, 1))
    east[1] = 99
    assert wheel[32, 64].tolist() == field_picture(east)[0, 0].tolist()
    assert wheel[0, 0].tolist() == wheel[32, 32].tolist() == [255, 255, 255]


def test_arrows_point_where_the_field_does():
    field = np.zeros((2, 20, 20), np.float32)
    field[1, 11, 11] = 6
    picture = arrow_picture(field, longest=12)
    dark = (picture < 120).all(axis=2)
    assert picture.shape == (80, 80, 3)
    assert dark[46, 47:57].all()
    assert not dark[:, 62:].any()
    assert not dark[:36].any()


def test_pixels_that_gather_are_a_disc_in_their_instances_colour():
    centroids = np.zeros((2, 10, 10), int)
    centroids[:, :, 5:] = 8
    instance_map = np.repeat([[0] * 5 + [1] * 5], 10, axis=0)
    picture = centroid_picture(centroids, instance_map)
    assert picture.shape == (40, 40, 4)
    assert picture[34, 34].tolist() == [*OBJECT_COLOURS[1].tolist(), 255]
    assert picture[2, 2].tolist() == [*OBJECT_COLOURS[0].tolist(), 255]
    assert picture[20, 10].tolist() == [*OBJECT_COLOURS[0].tolist(), 110]
