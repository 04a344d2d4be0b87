"""Charts of whatever numbers there are."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from misc.view.charts import STYLE, line_chart
from misc.view.layers import Layer
from misc.view.panel import draw, tile

NAN = float("nan")


def drawn(chart):
    """Give the size of an SVG in pixels, and the number of its elements."""
    root = ET.fromstring(chart)
    size = [float(root.attrib[side].removesuffix("pt")) * 4 / 3 for side in ("width", "height")]
    return size, len(list(root.iter()))


@pytest.mark.parametrize(
    "values",
    [
        [-3.0, 2.0, -1.0],
        [NAN, 0.5, NAN],
        [None, 0.5, float("inf")],
        [0.0, 0.0, 0.0],
        [1e30, -1e30, 1e-30],
    ],
)
def test_any_values_have_a_line_chart(values):
    lines = {"loss": ([0, 1, 2], values), "val $loss_": ([0, 1, 2], [0.1, 0.2, 0.3])}
    size, elements = drawn(line_chart(lines, x_label="step", marks={"used 1": 1.0}))
    assert size == pytest.approx([364.8, 288])
    assert elements > 20


def test_no_line_at_all_is_an_empty_chart():
    assert drawn(line_chart({}, x_label="step"))[1] > 10


def test_a_chart_is_the_same_bytes_each_time():
    lines = {"a": ([0, 1], [0, 1])}
    assert line_chart(lines, x_label="x") == line_chart(lines, x_label="x")


@pytest.mark.skipif(len(STYLE["font.family"]) == 1, reason="the system has no such font")
def test_letters_of_other_scripts_are_drawn_where_the_system_has_them(recwarn):
    image = np.zeros((30, 40, 3), np.uint8)
    draw(image, Layer(title="猫", entries=[("自", (0, 0, 0))]), longest=300)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("size", [(60, 80), (1, 1), (5, 4000), (1500, 2000)])
def test_a_picture_has_the_image_its_overlay_and_its_legend(size):
    image = np.full((*size, 3), 90, np.uint8)
    picture = np.zeros((*size, 4), np.uint8)
    picture[:, size[1] // 2 :] = (200, 0, 0, 255)
    names = ["_cat", "$dog", "owl"]
    entries = [(name, (0, 200, 0)) for name in names] * 30
    layer = Layer(title="a_$title$" * 9, picture=picture, entries=entries, note="score " * 30)
    page = np.asarray(tile([draw(image, layer, longest=1200)], columns=1))
    assert (np.abs(page.astype(int) - (200, 0, 0)).max(axis=2) < 10).any()
    assert (np.abs(page.astype(int) - (0, 200, 0)).max(axis=2) < 10).sum() > 40 * 50
    assert page.shape[0] < 2000
    for side in (page[:3], page[-3:], page[:, :3], page[:, -3:]):
        assert (side == 255).all()


def test_layers_stand_in_rows():
    image = np.full((30, 60, 3), 90, np.uint8)
    page = np.asarray(tile([draw(image, Layer(title="a"), longest=300)] * 3, columns=2))
    assert (page == 90).all(axis=2).sum() == pytest.approx(3 * 150 * 300, rel=0.03)
