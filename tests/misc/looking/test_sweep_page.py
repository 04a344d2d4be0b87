import xml.etree.ElementTree as ET

from misc.looking.sweep_page import chart
from misc.settings.grid import points

SVG = "{http://www.w3.org/2000/svg}"


def words(axes, rows):
    depends = {name: list(axes) for name in rows[0]}
    picture = chart(points(axes), rows, depends)
    return [node.text for node in ET.fromstring(picture).findall(f"{SVG}text")]


def test_a_line_for_each_combination_of_the_settings_beside_the_longest():
    axes = {"beta": [5.0, 10.0], "sem_seg_bg_thres": [0.1, 0.2, 0.3]}
    found = words(axes, [{"mIoU": n / 10} for n in range(6)])
    assert {"sweep: by --sem_seg_bg_thres", "mIoU beta 5.0", "mIoU beta 10.0"} <= set(found)


def test_the_best_of_the_others_where_lines_would_be_too_many():
    axes = {"beta": [5.0, 10.0, 20.0], "exp_times": [1, 2, 3, 4]}
    found = words(axes, [{"mIoU": 0.5, "AP50": float("nan")} for _ in range(12)])
    assert {"best mIoU", "best AP50", "sweep: by --exp_times"} <= set(found)
    assert not any(word.startswith("mIoU") for word in found)


def test_switches_alone_have_a_chart_too():
    assert "mIoU" in words({"walk": [True, False]}, [{"mIoU": 0.1}, {"mIoU": 0.2}])


def test_lines_are_named_by_what_their_measure_depends_on():
    axes = {"beta": [5.0, 10.0], "sem_seg_bg_thres": [0.1, 0.2, 0.3]}
    rows = [{"mIoU": n / 10, "AP50": n // 3 / 10} for n in range(6)]
    depends = {"mIoU": ["beta", "sem_seg_bg_thres"], "AP50": ["beta"]}
    texts = ET.fromstring(chart(points(axes), rows, depends)).findall(f"{SVG}text")
    found = {node.text for node in texts}
    assert {"mIoU beta 5.0", "mIoU beta 10.0", "AP50 beta 5.0", "AP50 beta 10.0"} <= found
