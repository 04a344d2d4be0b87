"""The dataset face: images, labels and what is said when they are not there."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

import voc12
from misc.files.images import write_label

FIRST, SECOND, THIRD = "2007_000001", "2007_000002", "2007_000003"


def test_class_names_are_the_devkits_twenty_in_order() -> None:
    assert len(voc12.CLASS_NAMES) == 20
    assert list(voc12.CLASS_NAMES) == sorted(voc12.CLASS_NAMES)
    assert voc12.CLASS_NAMES[0] == "aeroplane"
    assert voc12.CLASS_NAMES[14] == "person"
    assert voc12.CLASS_NAMES[19] == "tvmonitor"
    assert voc12.Dataset.class_names == voc12.CLASS_NAMES


def test_image_is_rgb_of_its_file(voc_root: Path) -> None:
    dataset = voc12.Dataset(voc_root)
    image = dataset.image(SECOND)
    assert image.dtype == np.uint8
    assert image.shape == (6, 8, 3)
    np.testing.assert_allclose(image, 40, atol=2)
    assert dataset.image_path(SECOND) == voc_root / "JPEGImages" / f"{SECOND}.jpg"


def test_image_that_is_not_there_is_named(voc_root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"JPEGImages/nobody\.jpg"):
        voc12.Dataset(voc_root).image("nobody")


def test_semantic_label_keeps_background_classes_and_ignore(voc_root: Path) -> None:
    written = np.array([[0, 1, 20, 255]], np.uint8)
    write_label(voc_root / "SegmentationClass" / f"{FIRST}.png", written)
    label = voc12.Dataset(voc_root).semantic_label(FIRST)
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, written)


def test_semantic_label_with_another_value_is_refused(voc_root: Path) -> None:
    # What becomes of a palette label that was saved as grey.
    write_label(voc_root / "SegmentationClass" / f"{FIRST}.png", np.array([[0, 38]]))
    with pytest.raises(ValueError, match=rf"{FIRST}\.png: has the value 38"):
        voc12.Dataset(voc_root).semantic_label(FIRST)


def test_missing_label_is_named_with_who_has_one(voc_root: Path) -> None:
    dataset = voc12.Dataset(voc_root)
    with pytest.raises(FileNotFoundError, match=r"SegmentationClass/2008_000004\.png.*train and"):
        dataset.semantic_label("2008_000004")
    (voc_root / "SegmentationObject" / f"{FIRST}.png").unlink()
    with pytest.raises(FileNotFoundError, match=rf"SegmentationObject/{FIRST}\.png"):
        dataset.instance_label(FIRST)


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


def test_image_without_instances_gives_empty_arrays(voc_root: Path) -> None:
    masks, classes = voc12.Dataset(voc_root).instance_label(FIRST)
    assert masks.shape == (0, 6, 8)
    assert masks.dtype == bool
    assert classes.shape == (0,)
    assert classes.dtype == np.int64


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


def test_image_labels_are_ones_at_the_classes_shown(voc_root: Path) -> None:
    labels = voc12.Dataset(voc_root).image_labels([SECOND, "2008_000004", FIRST, SECOND])
    assert labels.dtype == np.float32
    expected = np.zeros((4, 20), np.float32)
    expected[0, [7, 14]] = expected[3, [7, 14]] = expected[2, 0] = 1
    np.testing.assert_array_equal(labels, expected)
    assert voc12.Dataset(voc_root).image_labels([]).shape == (0, 20)


def test_dataset_can_be_pickled(voc_root: Path) -> None:
    dataset = voc12.Dataset(voc_root)
    before = dataset.image_labels([SECOND])
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.image_labels([SECOND]), before)
    np.testing.assert_array_equal(copy.image(FIRST), dataset.image(FIRST))
    assert copy.split("train") == [FIRST]


def test_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"--data_root .*/nowhere: no such folder"):
        voc12.Dataset(tmp_path / "nowhere")


def test_root_that_is_no_devkit_says_what_it_lacks(voc_root: Path) -> None:
    shutil.rmtree(voc_root / "Annotations")
    with pytest.raises(FileNotFoundError, match=r"lacks Annotations$"):
        voc12.Dataset(voc_root)


@pytest.mark.parametrize("given", ["..", "../..", "JPEGImages"])
def test_root_given_a_level_off_is_told_the_right_one(voc_root: Path, given: str) -> None:
    wrong = (voc_root / given).resolve()
    right = voc_root.resolve()
    with pytest.raises(FileNotFoundError, match=f"lacks .*; did you mean {right}\\?"):
        voc12.Dataset(wrong)


def test_sbd_root_that_is_not_there_is_named(voc_root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"--sbd_root nowhere: no such folder"):
        voc12.Dataset(voc_root, sbd_root="nowhere")
