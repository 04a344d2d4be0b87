"""Every form of labels is read as the same, and what is wrong in one is named in one line."""

import json

import numpy as np
import pytest
import torch
from photo_tree import NAMES, TAGS, make_photos, write_csv

from folder import Dataset

VECTORS = {name: [float(c in found) for c in NAMES] for name, found in TAGS.items()}
COCO = {
    "images": [{"id": n, "file_name": name} for n, name in enumerate(TAGS, 7)],
    "categories": [{"id": 3 * n, "name": name} for n, name in enumerate(NAMES, 1)],
    "annotations": [
        {"id": 100 * n + c, "image_id": n, "category_id": 3 * (NAMES.index(name) + 1)}
        for n, classes in enumerate(TAGS.values(), 7)
        for c, name in enumerate([*classes, *classes])
    ],
}


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


def table(ending="\n", join=",", quote='"', header=(), bom="", slash="/"):
    rows = [",".join(header)] if header else []
    for name, classes in TAGS.items():
        path = name.replace("/", slash)
        rows.append(f"{quote}{path}{quote}{join}{quote}{'; '.join(classes)}{quote}")
    return (bom + ending.join([*rows, ""])).encode()


def columns(join=", ", header="filename", zero="0", one="1"):
    rows = [[header, *NAMES]]
    rows += [[name, *(one if c in found else zero for c in NAMES)] for name, found in TAGS.items()]
    return "\n".join(map(join.join, rows)).encode()


def array(value):
    def write(path):
        np.save(path, value, allow_pickle=True)

    return write


FORMS = {
    "quoted.csv": table(),
    "excel.csv": table(ending="\r\n", header=("Path", "Classes"), bom="\ufeff"),
    "windows.csv": table(slash="\\"),
    "tabs.csv": table(join="\t"),
    "spaces.csv": table(quote="", join=" , "),
    "europe.csv": table(join=";", header=("path;classes",), ending="\r\n", bom="\ufeff"),
    "columns.csv": columns(),
    "columns of a spreadsheet.csv": columns(join=";", header="Bild"),
    "columns of a data frame.csv": columns(join=",", zero="0.0", one="1.0"),
    "columns below no heading.csv": columns().partition(b"\n")[2],
    "own.csv": table().replace(b'"field', b'"photos/field'),
    "lists.json": json.dumps(TAGS).encode(),
    "coco.json": json.dumps(COCO).encode(),
    "arrays.npy": array(np.array({n: np.array(v, np.float32) for n, v in VECTORS.items()}, object)),
    "tensors.npy": array(np.array({n: torch.tensor(v) for n, v in VECTORS.items()}, object)),
    "rows.npy": array(np.array([VECTORS[name] for name in sorted(VECTORS)], np.uint8)),
}


def opened(photos, form, *, names=False):
    path = photos.parent / form
    content = FORMS[form]
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    listed = None
    if names:
        listed = photos.parent / "names.txt"
        listed.write_text("\ufeff" + "\n\n".join(NAMES) + "\n")
    return Dataset(photos, labels=path, class_names=listed)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_labels(photos, form):
    data = opened(photos, form, names=form.endswith((".npy", "no heading.csv")))
    assert list(data.class_names) == NAMES
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == VECTORS


def test_a_line_for_each_image_and_class_adds_up(photos, caplog):
    caplog.set_level("INFO")
    labels = photos.parent / "t.csv"
    pairs = [(name, c) for name, found in TAGS.items() for c in [*found, *found]]
    labels.write_text("ImageID,LabelName\n" + "".join(f"{path},{c}\n" for path, c in pairs))
    data = Dataset(photos, labels=labels)
    expected = {name: vector for name, vector in VECTORS.items() if TAGS[name]}
    assert {data.file_name(i): rows(data, [i])[0] for i in data.split("all")} == expected
    assert "t.csv: a line for each class, 12 of 4 images" in caplog.text


def rows(data, ids):
    return data.image_labels(ids).tolist()


def test_columns_without_names_are_numbered(photos):
    assert opened(photos, "rows.npy").class_names == ("0", "1", "2")


def test_classes_that_differ_by_case_alone_are_warned_of(photos, caplog):
    labels = write_csv(photos.parent / "t.csv", TAGS | {"top.bmp": ["Car", "COW", "Cow"]})
    Dataset(photos, labels=labels).split("all")
    (line,) = caplog.messages
    assert "t.csv: classes differ by upper and lower case alone: " in line
    assert "'Car' and 'car'" in line
    assert "'COW' and 'Cow' and 'cow'" in line


@pytest.mark.parametrize("content", [b"top.bmp;car\nfield/one.jpg,cow", b"top.bmp\nx;y"])
def test_lines_with_semicolons_and_others_are_no_table_of_semicolons(photos, content):
    (photos.parent / "t.csv").write_bytes(content)
    with pytest.raises(FileNotFoundError, match="images are missing"):
        Dataset(photos, labels=photos.parent / "t.csv").split("all")


def test_a_comma_in_quotes_is_none_between_columns(photos):
    (photos.parent / "t.csv").write_bytes(b'"top.bmp";"a, b;c"\n')
    assert Dataset(photos, labels=photos.parent / "t.csv").class_names == ("a, b", "c")


def test_an_unknown_heading_names_those_that_are_known(photos):
    labels = photos.parent / "t.csv"
    labels.write_bytes(b"Bild,Klassen\n" + table())
    words = r"1 of 6 .*'Bild' .*; if line 1 is a heading, its accepted names are path, file, "
    with pytest.raises(FileNotFoundError, match=words):
        Dataset(photos, labels=labels).split("all")
    labels.write_bytes(b"Bild,Klassen\n" + table() + b"nowhere.jpg,car")
    with pytest.raises(FileNotFoundError, match="2 of 7 images are missing") as raised:
        Dataset(photos, labels=labels).split("all")
    assert "line 1 is a heading" not in str(raised.value)


def test_sub_folders_are_classes(tmp_path):
    make_photos(tmp_path / "p", ["cat/1.jpg", "cat/deep/2.jpg", "dog/1.jpg", "loose.jpg"])
    data = Dataset(tmp_path / "p")
    assert data.class_names == ("cat", "dog")
    ids = ["cat_1", "cat_deep_2", "dog_1"]
    assert data.split("all") == ids
    assert rows(data, ids) == [[1, 0], [1, 0], [0, 1]]


def test_a_class_file_orders_classes_and_may_name_more(photos):
    names = photos.parent / "names.txt"
    names.write_text("person\nzebra\ncow\ncar\n")
    data = Dataset(photos, labels=write_csv(photos.parent / "t.csv"), class_names=names)
    assert data.class_names == ("person", "zebra", "cow", "car")
    assert rows(data, ["street_two"]) == [[0, 0, 0, 1]]


def test_a_name_that_is_the_only_one_is_enough(tmp_path):
    make_photos(tmp_path / "p", ["a/x.jpg", "b/y.jpg", "b/z.jpg"])
    labels = write_csv(tmp_path / "t.csv", {"x.jpg": ["cup"], "b/y": ["cup"], "b_z": ["cup"]})
    assert Dataset(tmp_path / "p", labels=labels).split("all") == ["a_x", "b_y", "b_z"]


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("t.csv", b"street/one.jpg,car,person", ValueError, "t.csv, line 1: more than two columns"),
        ("t.csv", b"top.bmp,car\ntop,cow", ValueError, "line 2: 'top' is there already, .*line 1"),
        ("t.csv", b"one.jpg,car", ValueError, "'one.jpg' is the name of 2 images"),
        ("t.csv", b"a.jpg,car\ntop.bmp,", FileNotFoundError, "1 of 2 images are missing.*'a.jpg'"),
        ("t.csv", b"top.bmp,a,b\none,1,0\ntwo,1", ValueError, "line 3: 2 columns of 0 and 1 are"),
        ("t.csv", b"top.bmp,1,b\none,1,0", ValueError, "line 1: 2 columns of 0 and 1, and there"),
        ("t.csv", b"path,a,a\none,1,0", ValueError, "line 2: 2 columns of 0 and 1, and 2 names"),
        ("t.csv", b"path,a,b\none,1,2", ValueError, "line 2: more than two columns"),
        ("t.csv", b"top,car\ntop,cow;car", ValueError, "line 2: 'top' is there already"),
        ("t.csv", b"\xff\xfe\x00", ValueError, "t.csv: not UTF-8 text"),
        ("t.json", b'{"top.bmp": ["car"', ValueError, "t.json: no JSON, or cut short"),
        (
            "t.json",
            json.dumps(COCO | {"annotations": [{"image_id": 1, "category_id": 3}]}).encode(),
            ValueError,
            "an annotation of image 1, which it does not list",
        ),
        ("t.npy", b"no array", ValueError, "t.npy: "),
        ("t.csv", None, FileNotFoundError, "t.csv: no such file; accepted is a CSV"),
    ],
)
def test_broken_labels_are_one_line(photos, name, content, error, words):
    path = photos.parent / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words) as raised:
        Dataset(photos, labels=path).split("all")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array({"top": [0, 2, 0]}, object), "'top' has other values than 0 and 1"),
        (np.array({"top": [0, 1]}, object), "it has 2 classes, --class_names 3"),
        (np.zeros((3, 3)), r"an array of the shape \(3, 3\), there are 5 images"),
        (np.array({"top": print}, object), "not admitted"),
    ],
)
def test_a_wrong_array_is_one_line(photos, value, words):
    np.save(photos.parent / "t.npy", value, allow_pickle=True)
    names = photos.parent / "names.txt"
    names.write_text("\n".join(NAMES))
    with pytest.raises(ValueError, match=words):
        Dataset(photos, labels=photos.parent / "t.npy", class_names=names).split("all")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"car\ncow", "line 1: unknown class 'person' of 'street/one.jpg'"),
        (b"car\ncow\npersons", "did you mean 'persons'"),
        (b"car\ncar", "'car' is in it twice"),
    ],
)
def test_wrong_class_names_are_one_line(photos, content, words):
    names = photos.parent / "names.txt"
    names.write_bytes(content)
    data = Dataset(photos, labels=write_csv(photos.parent / "t.csv"), class_names=names)
    with pytest.raises(ValueError, match=words):
        data.split("all")
