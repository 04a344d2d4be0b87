"""The split that data come in, and copies of a photograph, from the command line."""

import json

import numpy as np
import pytest
from photo_tree import make_photos, told, write_csv, write_mask

from folder import Dataset


@pytest.mark.parametrize(
    ("parts", "above"),
    [
        (("train", "val"), ""),
        (("train2017", "val2017"), "deep/"),
        (("Training_Set", "valid", "Testing"), ""),
        (("train_images", "validate"), ""),
    ],
)
def test_folders_of_a_split_above_those_of_the_classes(tmp_path, parts, above):
    paths = [f"{above}{p}/{c}/{n}.png" for p in parts for c in ("cat", "dog") for n in (1, 2)]
    make_photos(tmp_path / "photos", paths)
    text = told(tmp_path)
    assert f"{', '.join(sorted(parts))} are a split, the classes are the folders in them" in text
    assert f"the split is that of the data: train 4, val 4, test {4 * (len(parts) - 2)}" in text
    assert "8 images, 2 classes: cat 4, dog 4" in text
    data = Dataset(tmp_path / "photos")
    assert all(f"_{parts[1]}_" in f"_{image_id}" for image_id in data.split("val"))
    assert len(data.split("all")) == 8


@pytest.mark.parametrize("parts", [("train",), ("test",), ("val", "test")])
def test_folders_of_other_parts_are_no_classes_either(tmp_path, parts):
    """One part alone is no split; val and test without train are refused."""
    paths = [f"{p}/{c}/{n}.png" for p in parts for c in ("cat", "dog") for n in (1, 2)]
    data = Dataset(make_photos(tmp_path / "photos", paths))
    assert list(data.class_names) == ["cat", "dog"]
    if len(parts) == 1:
        assert len(data.split("train") + data.split("val")) == len(paths)
    else:
        with pytest.raises(ValueError, match="are split into val and test, without train"):
            data.split("train")


def test_an_image_outside_the_folders_of_a_split_is_told(tmp_path, caplog):
    paths = ["train/1.png", "test/1.png", "extra/2.png", "extra/@eaDir/2.png"]
    make_photos(tmp_path / "photos", paths)
    labels = write_csv(tmp_path / "t.csv", {path: ["cat"] for path in paths[:3]})
    assert len(Dataset(tmp_path / "photos", labels=labels).split("all")) == 3
    (line,) = caplog.messages
    assert "test, train are read as no split, because extra/2.png lies in none of them" in line


def test_labels_and_masks_of_val_are_not_those_of_train(tmp_path, caplog):
    make_photos(tmp_path / "photos", ["train/1.png", "train/2.png"])
    labels = write_csv(tmp_path / "t.csv", {"val/1.png": ["cat"], "2.png": ["dog"]})
    write_mask(tmp_path / "masks/val/2.png", np.ones((24, 32)))
    data = Dataset(tmp_path / "photos", labels=labels, masks=tmp_path / "masks")
    assert data.split("all") == ["train_2"]
    assert not data.with_truth(["train_2"], kinds=("semantic",))
    assert "1 files belong to no image, the first is val/2.png" in caplog.text


def test_without_a_folder_of_val_it_is_drawn_and_test_stays_apart(tmp_path):
    paths = [f"{p}/{n}.png" for p in ("train", "test") for n in range(10)]
    make_photos(tmp_path / "photos", paths)
    labels = write_csv(tmp_path / "t.csv", {path: ["cat"] for path in paths[::-1]})
    data = Dataset(tmp_path / "photos", labels=labels)
    assert (len(data.split("train")), len(data.split("val"))) == (9, 1)
    assert set(data.split("train") + data.split("val")) == {f"train_{n}" for n in range(10)}
    assert data.split("test") == [f"test_{n}" for n in range(10)]
    text = told(tmp_path, labels=labels)
    assert "the split is that of the data: train 9, val 1 (drawn from train), test 10" in text


def test_folders_of_a_split_without_classes_are_refused(tmp_path, capsys):
    make_photos(tmp_path / "photos", [f"{s}/{n}.png" for s in ("train", "test") for n in range(4)])
    told(tmp_path, status=2)
    assert "test, train are a split without folders of classes in them" in (capsys.readouterr().err)


@pytest.mark.parametrize("lies", ["train.csv,val.csv", "photos/train/_c.csv,photos/valid/_c.csv"])
def test_one_file_of_labels_for_each_part(tmp_path, lies):
    """The names in the files are below the folders of their parts, and in both the same."""
    files = [tmp_path / path for path in lies.split(",")]
    parts = ("train", "val" if "val.csv" in lies else "valid")
    for part, file in zip(parts, files, strict=True):
        make_photos(tmp_path / "photos" / part, ["1.png", "2.png"])
        write_csv(file, {"1.png": [f"only {part}"], "2.png": ["both"]})
    data = Dataset(tmp_path / "photos", labels=",".join(map(str, files)))
    assert data.split("train") == ["train_1", "train_2"]
    assert data.split("val") == [f"{parts[1]}_1", f"{parts[1]}_2"]
    assert [data.class_names[c] for c in data.classes("train_1")] == ["only train"]


@pytest.mark.parametrize("classes", ["cat,dog\n1,0\n0,1\n1,1", "label\ncat\ndog\ncat"])
def test_a_column_of_a_table(tmp_path, classes):
    make_photos(tmp_path / "photos", ["1.png", "2.png", "3.png"])
    head, *cells = classes.split("\n")
    lines = zip(("1", "2", "3"), ("train", "validation", "test"), cells, strict=True)
    text = "\n".join([f"id,split,{head}", *map(",".join, lines)])
    (tmp_path / "t.csv").write_text(text)
    data = Dataset(tmp_path / "photos", labels=tmp_path / "t.csv")
    assert [data.split(name) for name in ("train", "val", "test")] == [["1"], ["2"], ["3"]]
    assert data.class_names == ("cat", "dog")


IMAGE = '<image id="{0}" name="{0}.png" subset="{1}"><tag label="cat"/></image>'
FORMS = {
    "t.json": lambda said: json.dumps([{"path": n, "label": "cat", "split": p} for n, p in said]),
    "t.xml": lambda said: f"<annotations>{''.join(IMAGE.format(*x) for x in said)}</annotations>",
}


@pytest.mark.parametrize("form", FORMS)
def test_an_attribute_of_an_image(tmp_path, form):
    make_photos(tmp_path / "photos", ["1.png", "2.png", "3.png"])
    (tmp_path / form).write_text(FORMS[form]([("1", "Train"), ("2", "Validation"), ("3", "Test")]))
    data = Dataset(tmp_path / "photos", labels=tmp_path / form)
    assert [data.split(name) for name in ("train", "val", "test")] == [["1"], ["2"], ["3"]]
    (tmp_path / form).write_text(FORMS[form]([("1", "Train"), ("2", "Validation"), ("3", "")]))
    with pytest.raises(
        ValueError, match=r"is '' for '3.*'; each image is of one of train, val and"
    ):
        Dataset(tmp_path / "photos", labels=tmp_path / form).split("all")


def test_files_of_no_split_are_taken_together(tmp_path, caplog):
    caplog.set_level("INFO")
    make_photos(tmp_path / "photos", ["1.png", "2.png"])
    files = [write_csv(tmp_path / f"{n}.csv", {f"{n}.png": ["cat"]}) for n in (1, 2)]
    data = Dataset(tmp_path / "photos", labels=",".join(map(str, files)))
    assert len(data.split("all")) == 2
    assert "2 files of labels are taken together, and no split" in caplog.text


def test_coco_of_each_part_has_all_classes(tmp_path):
    images = [{"id": 1, "file_name": "1.png"}]
    for part, category in (("train", "cat"), ("val", "dog")):
        make_photos(tmp_path / f"photos/{part}2017", ["1.png"])
        content = {
            "images": images,
            "categories": [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}],
            "annotations": [{"image_id": 1, "category_id": {"cat": 3, "dog": 5}[category]}],
        }
        (tmp_path / f"instances_{part}2017.json").write_text(json.dumps(content))
    files = ",".join(str(tmp_path / f"instances_{part}2017.json") for part in ("train", "val"))
    data = Dataset(tmp_path / "photos", labels=files)
    assert data.class_names == ("cat", "dog")
    assert [data.classes(i) for name in ("train", "val") for i in data.split(name)] == [[0], [1]]


def test_copies_of_a_photograph_stay_on_one_side(tmp_path, caplog):
    caplog.set_level("INFO")
    copies = [f"{n}_jpg.rf.{n}{k}c0ffee.jpg" for n in range(12) for k in range(3)]
    copies += [f"shot{n}-{k}ab4cd5e.jpg" for n in range(12) for k in range(3)]
    make_photos(tmp_path / "photos", copies)
    labels = write_csv(tmp_path / "t.csv", {path: ["cat"] for path in copies})
    data = Dataset(tmp_path / "photos", labels=labels, val_share=0.25)
    sides = [
        {data.file_name(i).partition("_")[0].partition("-")[0] for i in data.split(name)}
        for name in ("train", "val")
    ]
    assert not sides[0] & sides[1]
    assert len(data.split("val")) == 18
    assert "72 images are copies of 24 photographs by their names" in caplog.text


def test_names_of_hashes_alone_are_no_copies(tmp_path):
    paths = [f"5b9312{n:02}-bb99-11e8-b2b9-ac1f6b6435d0.png" for n in range(20)]
    paths += [f"IMG-202101{n:02}.png" for n in range(10, 20)]
    paths += [f"cat_{n:02}c0ffee.png" for n in range(10)]
    make_photos(tmp_path / "photos", paths)
    labels = write_csv(tmp_path / "t.csv", {path: ["cat"] for path in paths})
    data = Dataset(tmp_path / "photos", labels=labels, val_share=0.2)
    assert len(data.split("val")) in range(8, 28)


def test_copies_on_both_sides_of_a_split_that_came_are_left_out_of_train(tmp_path, caplog):
    paths = ["train/1_jpg.rf.aa1.jpg", "train/2_jpg.rf.aa2.jpg", "valid/2_jpg.rf.aa3.jpg"]
    make_photos(tmp_path / "photos", paths)
    labels = write_csv(tmp_path / "t.csv", {path: ["cat"] for path in paths})
    data = Dataset(tmp_path / "photos", labels=labels)
    assert [data.file_name(i) for i in data.split("train")] == paths[:1]
    assert "1 images are left out of train, as copies of them are in val" in caplog.text
