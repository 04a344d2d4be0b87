import re
import xml.etree.ElementTree as ET

import numpy as np

from misc.looking.charts import bar_chart, confusion_chart, line_chart, ticks

SVG = "{http://www.w3.org/2000/svg}"


def path_of(chart, number):
    (path,) = [
        node.attrib["d"]
        for node in ET.fromstring(chart).findall(f"{SVG}path")
        if node.attrib["class"] == f"line s{number}" and "L" in node.attrib["d"]
    ]
    return [tuple(map(float, pair.split())) for pair in path[1:].split("L")]


def test_ticks_are_round_and_reach_over_both_ends():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0, 0.073) == [0, 0.02, 0.04, 0.06, 0.08]
    assert ticks(50, 600)[0] <= 50
    assert ticks(50, 600)[-1] >= 600
    assert ticks(0, 0) == [0, 0.2]


def test_a_line_goes_through_its_points_from_left_to_right_and_zero_is_at_the_bottom():
    chart = line_chart("t", {"a": ([0, 1, 2], [0, 1, 0.5])}, x_label="x", size=(460, 280))
    (x0, y0), (x1, y1), (x2, y2) = path_of(chart, 0)
    assert x0 < x1 < x2
    assert y1 < y2 < y0
    assert y0 == 280 - 42


def test_what_is_no_number_is_left_out_of_a_line():
    chart = line_chart("t", {"a": ([0, 1, 2], [0.5, float("nan"), 0.5])}, x_label="x")
    assert len(path_of(chart, 0)) == 2


def test_every_line_has_its_own_colour_dashes_and_name():
    lines = {name: ([0, 1], [0, 1]) for name in ("loss", "val <loss>")}
    chart = line_chart("t", lines, x_label="x", marks={"used 0.5": 0.5})
    assert {len(path_of(chart, n)) for n in (0, 1)} == {2}
    words = [node.text for node in ET.fromstring(chart).findall(f"{SVG}text")]
    assert {"loss", "val <loss>", "used 0.5", "x", "t"} <= set(words)


def test_a_point_alone_is_seen():
    assert "h4" in line_chart("t", {"a": ([1], [0.5])}, x_label="x")


def test_a_chart_without_any_number_is_still_a_chart():
    ET.fromstring(line_chart("t", {"a": ([], [])}, x_label="x"))


def test_bars_are_as_long_as_their_values_and_missing_ones_are_left_out():
    chart = bar_chart("t", [("cat", "rgb(1,2,3)", [0.5, float("nan")])], ["CAM", "labels"])
    bars = [
        float(node.attrib["width"])
        for node in ET.fromstring(chart).findall(f"{SVG}rect")
        if node.attrib.get("height") == "10"
    ]
    assert bars == [(460 - 52 - 128) / 2]


def test_a_confusion_is_shown_as_shares_of_the_true_pixels():
    chart = confusion_chart("t", ["a", "b"], np.array([[3, 1], [0, 0]]))
    assert "a labelled b: 25.0 %" in chart
    assert "b labelled a: 0.0 %" in chart
    assert len(re.findall("<title>", chart)) == 4
