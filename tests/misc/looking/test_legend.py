from misc.looking.legend import class_entries, legend, object_entries
from misc.looking.palette import OBJECT_COLOURS, voc_palette

NAMES = ("cat", "dog", "owl")
COLOURS = voc_palette()[::-1]  # a data set's own


def test_classes_have_the_palettes_colours_and_unused_pixels_their_own():
    entries = class_entries(NAMES, COLOURS, unsure=True)
    assert [name for name, _ in entries] == ["background", *NAMES, "not used"]
    assert entries[2] == ("dog", tuple(COLOURS[2].tolist()))
    assert entries[-1][1] == tuple(COLOURS[255].tolist())


def test_labels_can_be_chosen():
    assert [name for name, _ in class_entries(NAMES, COLOURS, [0, 3])] == ["background", "owl"]


def test_named_objects_have_the_objects_colours():
    entries = object_entries(["a", "b"])
    assert entries[1] == ("b", tuple(OBJECT_COLOURS[1].tolist()))


def test_every_entrys_colour_is_in_the_picture_and_columns_grow_with_the_entries():
    entries = class_entries(NAMES, COLOURS)
    picture = legend(entries, rows=2)
    for _, colour in entries:
        assert (picture == colour).all(axis=2).sum() > 100
    assert picture.shape[1] > legend(entries[:2], rows=2).shape[1]
