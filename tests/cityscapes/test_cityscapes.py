"""What is read of a Cityscapes folder, and what is refused."""

import pickle
import shutil

import city_tree
import numpy as np
import pytest
from city_tree import CAR, PERSON, ROAD, SKY, TEST, TRAIN, VAL
from PIL import Image

from cityscapes import Dataset
from cityscapes.dataset import EXPECTED_COUNTS
from misc.imutils import IGNORE


def put(root, kind, array, image_id=TRAIN[0], split="train"):
    Image.fromarray(array).save(city_tree.path(root, kind, split, image_id))


def test_the_splits_are_the_files_of_all_cities_sorted(root):
    dataset = Dataset(root)
    assert [dataset.split(name) for name in ("train", "val", "test")] == [TRAIN, VAL, TEST]
    assert Dataset(root, limit=2).split("train") == TRAIN[:2]


def test_image_level_labels_are_the_classes_that_occur(root):
    eight, nineteen = Dataset(root), Dataset(root, num_classes=19)
    row = eight.image_labels(TRAIN[:1])[0]
    assert [eight.class_names[i] for i in np.flatnonzero(row)] == ["person", "car"]
    row = nineteen.image_labels(TRAIN[:1])[0]
    shown = [nineteen.class_names[i] for i in np.flatnonzero(row)]
    assert shown == ["road", "sky", "person", "car"]
    assert eight.image_labels([]).shape == (0, 8)


def test_a_semantic_label_has_the_classes_background_and_void(root):
    numbers = city_tree.instance_ids(TRAIN[0])
    owners = np.where(numbers >= 1000, numbers // 1000, numbers)
    label = Dataset(root).semantic_label(TRAIN[0])
    assert label.dtype == np.uint8
    assert np.unique(label[owners == PERSON]) == 1  # the group's pixels are persons, too
    assert np.unique(label[owners == CAR]) == 3
    assert np.unique(label[np.isin(owners, [SKY, ROAD])]) == 0
    assert np.unique(label[np.isin(owners, [1, city_tree.CARAVAN])]) == IGNORE
    label = Dataset(root, num_classes=19).semantic_label(TRAIN[0])
    assert np.unique(label[owners == ROAD]) == 1
    assert np.unique(label[owners == CAR]) == 14
    assert 0 not in label


@pytest.mark.parametrize(("num_classes", "person", "car"), [(8, 0, 2), (19, 11, 13)])
def test_instances_leave_out_groups_which_are_to_be_ignored(root, num_classes, person, car):
    numbers = city_tree.instance_ids(VAL[0])
    dataset = Dataset(root, num_classes=num_classes)
    masks, classes = dataset.instance_label(VAL[0])
    assert classes.tolist() == [person, car, car]
    assert (masks[0] == (numbers == 24000)).all()
    assert (masks[2] == (numbers == 26001)).all()
    masks, classes = dataset.ignored_regions(VAL[0])
    assert classes.tolist() == [person]
    assert (masks[0] == (numbers == 24)).all()


def test_test_has_images_alone_though_void_truth_lies_there(root):
    dataset = Dataset(root)
    assert dataset.image(TEST[0]).shape == (*city_tree.SIZE, 3)
    assert dataset.with_labels([TRAIN[0], TEST[0], VAL[0]]) == [TRAIN[0], VAL[0]]
    assert dataset.with_truth([TEST[0], VAL[0]]) == [VAL[0]]
    assert not dataset.has_truth(TEST[0], kinds=("semantic",))


def test_a_data_set_is_pickled_and_known_by_its_classes_and_labels(root):
    dataset = pickle.loads(pickle.dumps(Dataset(root)))
    assert dataset.split("val") == VAL
    known = dataset.identify()
    assert known.startswith("cityscapes, 5 images, 8 classes, digest ")
    assert Dataset(root, num_classes=19).identify() != known
    path = city_tree.path(root, "gtFine_labelIds", "train", TRAIN[0])
    path.write_bytes(path.read_bytes() + b"\0")
    assert dataset.identify() != known


def test_the_published_figure_belongs_to_the_whole_of_val(root, monkeypatch):
    dataset = Dataset(root, num_classes=19)
    assert dataset.published("eval_deeplab", "val") == {}
    monkeypatch.setitem(EXPECTED_COUNTS, "val", len(VAL))
    assert dataset.published("eval_deeplab", "val") == {"mIoU": 0.3348}
    assert dataset.published("eval_mask_rcnn", "val") == {}
    assert dataset.published("eval_deeplab", "val[:8]") == {}


@pytest.mark.parametrize("kind", ["labelIds", "instanceIds"])
def test_a_missing_file_of_truth_is_named(root, kind):
    path = city_tree.path(root, f"gtFine_{kind}", "train", TRAIN[0])
    path.unlink()
    dataset = Dataset(root)
    kinds = {"labelIds": "semantic", "instanceIds": "instance"}
    assert not dataset.has_truth(TRAIN[0], kinds=(kinds[kind],))
    read = dataset.semantic_label if kind == "labelIds" else dataset.instance_label
    with pytest.raises(FileNotFoundError, match=rf"{path}: no such file; train and val have"):
        read(TRAIN[0])
    if kind == "labelIds":
        with pytest.raises(FileNotFoundError, match=r"labelIds\.png: no such file; train and"):
            dataset.image_labels(TRAIN)


def test_truth_of_another_size_than_its_image_is_refused(root):
    put(root, "gtFine_labelIds", np.zeros((72, 140), np.uint8))
    put(root, "gtFine_instanceIds", np.zeros((70, 144), np.uint16))
    dataset = Dataset(root)
    with pytest.raises(ValueError, match=r"labelIds\.png: is \(72, 140\).*its image is \(72, 144"):
        dataset.semantic_label(TRAIN[0])
    with pytest.raises(ValueError, match=r"instanceIds\.png: is \(70, 144\) pixels"):
        dataset.instance_label(TRAIN[0])


def test_a_folder_that_is_not_cityscapes_is_refused(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--data_root .*: no folder leftImg8bit in it"):
        Dataset(tmp_path)
    shutil.rmtree(root / "leftImg8bit/test")
    with pytest.raises(FileNotFoundError, match=r"split test: no image in .*NAME_leftImg8bit\.png"):
        Dataset(root).split("test")
    with pytest.raises(ValueError, match=r"unknown split 'train_aug'; accepted are train, val, te"):
        Dataset(root).split("train_aug")
    (tmp_path / "mine.txt").write_text("aachen_000009_000019\n")
    with pytest.raises(FileNotFoundError, match=r"1 of 1 ids have no image, .*aachen_000009"):
        Dataset(root).split(tmp_path / "mine.txt")


def test_what_macos_writes_beside_the_images_is_no_image(root):
    before = Dataset(root).identify()
    for path in list(root.rglob("*.png")):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    (root / "leftImg8bit/train/._aachen").write_bytes(b"\0\5\x16\7")
    dataset = Dataset(root)
    assert [dataset.split(name) for name in ("train", "val", "test")] == [TRAIN, VAL, TEST]
    assert dataset.identify() == before
