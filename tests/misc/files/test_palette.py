import numpy as np

from misc.files.palette import OBJECT_COLOURS, object_palette, voc_palette


def test_has_the_published_colours_of_the_first_labels_and_of_the_ignored_one():
    colours = voc_palette()
    assert colours[:6].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
    ]
    assert colours[15].tolist() == [192, 128, 128]
    assert colours[20].tolist() == [0, 64, 128]
    assert colours[255].tolist() == [224, 224, 192]


def test_objects_have_colours_of_their_own_from_number_1_on_which_repeat():
    colours = object_palette()
    assert colours[0].tolist() == [0, 0, 0]
    assert (colours[1:8] == OBJECT_COLOURS).all()
    assert (colours[8] == OBJECT_COLOURS[0]).all()
    assert len(np.unique(OBJECT_COLOURS, axis=0)) == 7
