"""SBD's labels: what is read of its .mat files, and what is refused."""

import numpy as np
import pytest
import scipy.io

from voc12.sbd import read_sbd_instances


def write(path, name, **fields):
    scipy.io.savemat(path, {name: fields}, do_compression=True)
    return path


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
