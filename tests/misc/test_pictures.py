import numpy as np

from misc.palette import voc_palette
from misc.pictures import field_picture, heat, instance_overlay, label_overlay, panel

IMAGE = np.full((6, 8, 3), 100, dtype=np.uint8)


def test_a_heat_map_goes_from_dark_to_bright():
    scores = np.zeros((6, 8), np.float32)
    scores[2, 3] = 1
    picture = heat(IMAGE, scores, opacity=1.0).sum(axis=2)
    assert picture.shape == (6, 8)
    assert picture[2, 3] > picture[0, 0]


def test_background_shows_the_image_and_labels_their_colour():
    label = np.zeros((6, 8), np.uint8)
    label[0, 0] = 15
    picture = label_overlay(IMAGE, label, voc_palette(), opacity=1.0)
    assert picture[0, 0].tolist() == voc_palette()[15].tolist()
    assert (picture[1:] == IMAGE[1:]).all()


def test_instances_have_colours_of_their_own():
    masks = np.zeros((2, 6, 8), bool)
    masks[0, 0, 0] = masks[1, 1, 1] = True
    picture = instance_overlay(IMAGE, masks)
    assert len({tuple(picture[y, x]) for y, x in ((0, 0), (1, 1), (2, 2))}) == 3


def test_directions_have_hues_and_no_displacement_is_white():
    field = np.zeros((2, 1, 3), np.float32)
    field[1, 0, 1], field[1, 0, 2] = 12, -12
    picture = field_picture(field)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1].tolist() == [255, 0, 0]
    assert picture[0, 2, 0] < 10


def test_a_panel_has_a_title_over_each_picture_in_rows():
    page = panel([("a", IMAGE), ("b", IMAGE), ("c", IMAGE)], (6, 8), columns=2)
    grey = (page == 100).all(axis=2)
    assert grey.sum() == 3 * 6 * 8
    assert page[:20].min() < 100
