"""SBD's labels: what is read of its .mat files, and what is refused."""

import numpy as np
import pytest
import scipy.io

from tests import voc_shaped
from voc12.sbd import read_sbd_instances, read_sbd_semantic, sbd_folder

ID = voc_shaped.SBD[0]


def write(path, name, **fields):
    scipy.io.savemat(path, {name: fields}, do_compression=True)
    return path


def test_instances_are_those_of_the_scene(voc_folder):
    path = voc_folder / f"benchmark_RELEASE/dataset/inst/{ID}.mat"
    masks, classes = read_sbd_instances(path)
    owner = voc_shaped.scene(ID).owner
    np.testing.assert_array_equal(masks, [owner == n for n in range(owner.max() + 1)])
    np.testing.assert_array_equal(classes, voc_shaped.classes(ID))
    assert masks.dtype == bool
    assert classes.dtype == np.int64


def test_a_semantic_label_is_that_of_the_scene(voc_folder):
    label = read_sbd_semantic(voc_folder / f"benchmark_RELEASE/dataset/cls/{ID}.mat")
    expected = np.array([0, *(voc_shaped.classes(ID) + 1)])[voc_shaped.scene(ID).owner + 1]
    np.testing.assert_array_equal(label, expected)
    assert label.dtype == np.uint8


def test_an_instance_that_nothing_shows_is_no_instance(tmp_path):
    segmentation = np.array([[0, 3, 3]], np.uint8)
    path = write(
        tmp_path / "a.mat", "GTinst", Segmentation=segmentation, Categories=[[5], [6], [7]]
    )
    masks, classes = read_sbd_instances(path)
    np.testing.assert_array_equal(masks, [[[False, True, True]]])
    np.testing.assert_array_equal(classes, [6])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Segmentation": [[0, 2]], "Categories": [[5]]}, "instance 2, but Categories has 1"),
        ({"Segmentation": [[0, 1]], "Categories": [[0]]}, "class 0; accepted are 1 to 20"),
        ({"Categories": [[5]]}, "its shape is None"),
        ({"Segmentation": [[np.nan, 1.0]], "Categories": [[5]]}, "instance"),
    ],
)
def test_labels_that_make_no_sense_are_refused(tmp_path, fields, words):
    path = write(tmp_path / "a.mat", "GTinst", **fields)
    with pytest.raises(ValueError, match=rf"a\.mat: .*{words}"):
        read_sbd_instances(path)


def test_the_folder_is_found_at_each_depth(voc_folder):
    dataset = voc_folder / "benchmark_RELEASE" / "dataset"
    for root in (voc_folder, dataset.parent, dataset):
        assert sbd_folder(root, ["inst", "train.txt"]).samefile(dataset)
    assert sbd_folder(voc_folder, ["nothing"]) is None
