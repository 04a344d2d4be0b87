"""Where ground truth comes from, and who has it, in a folder shaped like the real VOC."""

import os
from pathlib import Path

import numpy as np
import pytest

import voc12
from tests import voc_shaped

FROM_SBD, FROM_VOC = voc_shaped.SBD[0], voc_shaped.TRAIN[0]


@pytest.fixture
def root(voc_folder):
    return voc_folder / "VOCdevkit" / "VOC2012"


@pytest.fixture(scope="module")
def plain_root(tmp_path_factory):
    """Give a devkit as it is downloaded, without SegmentationClassAug."""
    return voc_shaped.make_voc(tmp_path_factory.mktemp("plain"), augmented=False)


def open_with_sbd(root, voc_folder):
    return voc12.Dataset(root, sbd_root=voc_folder / "benchmark_RELEASE")


def test_splits_are_as_in_the_real_one(root, voc_folder, plain_root):
    for dataset in (voc12.Dataset(root), open_with_sbd(plain_root, voc_folder)):
        assert dataset.split("train") == voc_shaped.TRAIN
        assert dataset.split("test") == voc_shaped.TEST
        assert dataset.split("train_aug") == sorted(voc_shaped.TRAIN_AUG)


def test_labels_and_images_of_every_annotated_image_are_read(root):
    dataset = voc12.Dataset(root)
    labels = dataset.image_labels(voc_shaped.ANNOTATED)
    for image_id, row in zip(voc_shaped.ANNOTATED, labels, strict=True):
        shown = np.unique(voc_shaped.classes(image_id))
        np.testing.assert_array_equal(np.flatnonzero(row), shown)
        assert dataset.image(image_id).shape[:2] == voc_shaped.scene(image_id).owner.shape
    assert dataset.with_labels(voc_shaped.TEST + voc_shaped.VAL) == voc_shaped.VAL


def test_semantic_truth_comes_from_sbd_where_nothing_else_is(plain_root, voc_folder, root):
    found = open_with_sbd(plain_root, voc_folder).semantic_label(FROM_SBD)
    np.testing.assert_array_equal(found, voc12.Dataset(root).semantic_label(FROM_SBD))
    labels = np.array([0, *(voc_shaped.classes(FROM_SBD) + 1)])
    np.testing.assert_array_equal(found, labels[voc_shaped.scene(FROM_SBD).owner + 1])
    assert found.dtype == np.uint8


def test_vocs_own_truth_is_taken_before_sbds(root, voc_folder):
    with_sbd, without = open_with_sbd(root, voc_folder), voc12.Dataset(root)
    assert (with_sbd.semantic_label(FROM_VOC) == 255).any()  # SBD's has no border
    for found, expected in zip(
        with_sbd.instance_label(FROM_VOC), without.instance_label(FROM_VOC), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_instances_come_from_sbd_where_vocs_lack(root, voc_folder):
    masks, classes = open_with_sbd(root, voc_folder).instance_label(FROM_SBD)
    np.testing.assert_array_equal(classes, voc_shaped.classes(FROM_SBD))
    owner = voc_shaped.scene(FROM_SBD).owner
    np.testing.assert_array_equal(masks, [owner == n for n in range(owner.max() + 1)])
    assert (masks.dtype, classes.dtype) == (bool, np.int64)


def test_truth_that_is_nowhere_is_missed_with_what_would_bring_it(root, plain_root):
    with pytest.raises(FileNotFoundError, match=rf"Object/{FROM_SBD}\.png: .*--sbd_root"):
        voc12.Dataset(root).instance_label(FROM_SBD)
    with pytest.raises(FileNotFoundError, match=rf"Class/{FROM_SBD}\.png: .*SegmentationClassAug"):
        voc12.Dataset(plain_root).semantic_label(FROM_SBD)


def test_who_has_truth_of_which_kind(root, plain_root, voc_folder):
    ids = [*voc_shaped.TRAIN_AUG, *voc_shaped.TEST]
    cases = [
        (voc12.Dataset(plain_root), voc_shaped.TRAIN, voc_shaped.TRAIN),
        (voc12.Dataset(root), voc_shaped.TRAIN_AUG, voc_shaped.TRAIN),
        (open_with_sbd(root, voc_folder), voc_shaped.TRAIN_AUG, voc_shaped.TRAIN_AUG),
        (open_with_sbd(plain_root, voc_folder), voc_shaped.TRAIN_AUG, voc_shaped.TRAIN_AUG),
    ]
    for dataset, semantic, instance in cases:
        assert dataset.with_truth(ids, kinds=["semantic"]) == semantic
        assert dataset.with_truth(ids, kinds=["instance"]) == instance
        assert dataset.with_truth(ids) == instance
        assert dataset.has_truth(FROM_SBD) == (FROM_SBD in instance)
        assert not dataset.has_truth(voc_shaped.TEST[0], kinds=["semantic"])


def test_thousands_of_images_are_asked_for_with_one_listing_a_folder(root, voc_folder, monkeypatch):
    dataset = open_with_sbd(root, voc_folder)
    asked = []
    stat, listdir = Path.stat, os.listdir
    monkeypatch.setattr(Path, "stat", lambda p, **options: asked.append(p) or stat(p, **options))
    monkeypatch.setattr(os, "listdir", lambda p: asked.append(p) or listdir(p))
    dataset.with_truth([f"2009_{number:06d}" for number in range(10_582)] + [FROM_VOC])
    dataset.with_labels([FROM_VOC] * 10_582)
    assert len(asked) < 40
