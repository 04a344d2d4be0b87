"""The dataset face: images, labels and what is said when they are not there."""

from pathlib import Path

import numpy as np
import pytest

import voc12
from misc.files.images import write_label

FIRST, SECOND, THIRD = "2007_000001", "2007_000002", "2007_000003"


def test_class_names_are_the_devkits_twenty_in_order() -> None:
    names = voc12.Dataset.class_names
    assert len(names) == 20
    assert list(names) == sorted(names)
    assert (names[0], names[14], names[19]) == ("aeroplane", "person", "tvmonitor")


def test_semantic_label_with_another_value_is_refused(voc_root: Path) -> None:
    # What becomes of a palette label that was saved as grey.
    write_label(voc_root / "SegmentationClass" / f"{FIRST}.png", np.array([[0, 38]]))
    with pytest.raises(ValueError, match=rf"{FIRST}\.png: has the value 38"):
        voc12.Dataset(voc_root).semantic_label(FIRST)


def write_instances(root: Path, semantic: list[list[int]], objects: list[list[int]]) -> None:
    write_label(root / "SegmentationClass" / f"{FIRST}.png", np.array(semantic))
    write_label(root / "SegmentationObject" / f"{FIRST}.png", np.array(objects))


def test_instance_takes_the_commonest_class_under_it(voc_root: Path) -> None:
    write_instances(
        voc_root,
        semantic=[[8, 8, 0, 255, 15], [8, 0, 0, 255, 15], [15, 15, 15, 3, 15]],
        objects=[[1, 1, 1, 255, 7], [1, 1, 1, 255, 7], [1, 1, 255, 7, 7]],
    )
    masks, classes = voc12.Dataset(voc_root).instance_label(FIRST)
    assert masks.dtype == bool
    assert classes.dtype == np.int64
    # Object 1 lies on 3 pixels of class 8, 2 of class 15 and 3 of background; 7 on 3 of 15, 1 of 3.
    np.testing.assert_array_equal(classes, [7, 14])
    expected_first = [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    expected_second = [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 1, 1]]
    np.testing.assert_array_equal(masks, np.array([expected_first, expected_second], bool))


def test_instance_without_a_class_is_left_out_with_a_warning(
    voc_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_instances(voc_root, semantic=[[0, 255, 3]], objects=[[1, 1, 2]])
    masks, classes = voc12.Dataset(voc_root).instance_label(FIRST)
    np.testing.assert_array_equal(masks, [[[False, False, True]]])
    np.testing.assert_array_equal(classes, [2])
    assert f"{FIRST}.png: object 1 has no class" in caplog.text


def test_label_maps_of_two_sizes_are_refused(voc_root: Path) -> None:
    write_instances(voc_root, semantic=[[1, 1]], objects=[[1, 1, 1]])
    with pytest.raises(ValueError, match=rf"SegmentationObject/{FIRST}\.png: is \(1, 3\)"):
        voc12.Dataset(voc_root).instance_label(FIRST)


@pytest.mark.parametrize("given", ["..", "../..", "JPEGImages"])
def test_root_given_a_level_off_is_told_the_right_one(voc_root: Path, given: str) -> None:
    wrong = (voc_root / given).resolve()
    right = voc_root.resolve()
    with pytest.raises(FileNotFoundError, match=f"lacks .*; did you mean {right}\\?"):
        voc12.Dataset(wrong)
