import numpy as np

from misc.looking.panel import Cell, panel
from misc.looking.pictures import heat_colours

IMAGE = np.full((60, 80, 3), 100, np.uint8)


def page_of(*cells, columns=2):
    return panel(cells, (60, 80), columns=columns)


def test_pictures_stand_in_rows_with_a_title_over_each():
    page = page_of(*[Cell(title="a", picture=IMAGE)] * 3)
    assert (page == 100).all(axis=2).sum() == 3 * 60 * 80
    assert page[:24].min() < 100
    assert page.shape[1] == 2 * 90 + 10


def test_a_legends_colours_are_below_their_picture_and_wrap_in_its_width():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    entries = [(f"class {n}", colour) for n, colour in enumerate(colours)]
    page = page_of(Cell(title="a", picture=IMAGE, entries=entries))
    rows = [np.flatnonzero((page == colour).all(axis=2).any(axis=1)) for colour in colours]
    assert all(len(found) > 5 for found in rows)
    assert 60 < rows[0][0] < rows[1][0] < rows[2][0]
    assert not (page[:, 90:] != 255).any()


def test_a_scale_is_drawn_below_its_picture():
    page = page_of(Cell(title="a", picture=IMAGE, scale="heat"))
    yellow = heat_colours(np.ones((1, 1)))[0, 0]
    assert (page[-30:] == yellow).all(axis=2).any()
    wheel = page_of(Cell(title="a", picture=IMAGE, scale="wheel", note="hue: direction"))
    assert (np.abs(wheel[-60:].astype(int) - [255, 0, 0]).max(axis=2) < 20).any()
