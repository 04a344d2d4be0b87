import numpy as np

from misc.view.pictures import field_picture, heat_colours


def test_heat_goes_from_dark_blue_to_yellow():
    picture = heat_colours(np.array([[0.0, 1.0, 2.0]]))
    assert picture[0, 0].tolist() == [68, 1, 84]
    assert picture[0, 1].tolist() == [253, 231, 37]
    assert (picture[0, 2] == picture[0, 1]).all()


def test_directions_have_hues_and_no_displacement_is_white():
    field = np.zeros((2, 1, 3), np.float32)
    field[1, 0, 1], field[1, 0, 2] = 12, -12
    picture = field_picture(field, longest=12, scale=1)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1].tolist() == [255, 0, 0]
    assert picture[0, 2].tolist() == [0, 255, 255]


def test_arrows_point_where_the_field_does():
    field = np.zeros((2, 20, 20), np.float32)
    field[1, 11, 11] = 6
    picture = field_picture(field, longest=12)
    dark = (picture < 120).all(axis=2)
    assert picture.shape == (80, 80, 3)
    assert dark[46, 47:57].all()
    assert not dark[:, 62:].any()
    assert not dark[:36].any()
