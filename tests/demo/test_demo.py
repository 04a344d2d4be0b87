"""The demo data: what every reader of its results relies on."""

from pathlib import Path

import numpy as np
import pytest
import torchvision

import voc12
from demo.making import make_demo
from misc.files.images import read_label


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo") / "VOC2012"
    make_demo(root, train=9, val=3, seed=3)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_same_arguments_give_the_same_files(made: Path, tmp_path: Path) -> None:
    np.random.seed(1)  # what others do with the global generator changes nothing
    make_demo(tmp_path / "again", train=9, val=3, seed=3)
    assert files(tmp_path / "again") == files(made)


def test_torchvisions_readers_of_voc_read_it(tmp_path: Path) -> None:
    make_demo(tmp_path / "VOCdevkit" / "VOC2012", train=2, val=1, seed=0)
    for reader in (torchvision.datasets.VOCDetection, torchvision.datasets.VOCSegmentation):
        counts = {name: len(reader(tmp_path, image_set=name)) for name in ("train", "val")}
        assert counts == {"train": 2, "val": 1}


@pytest.mark.parametrize("other", [{"seed": 4}, {"train": 8}])
def test_demo_of_other_arguments_is_not_mixed(made: Path, other: dict) -> None:
    arguments = {"train": 9, "val": 3, "seed": 3, **other}
    with pytest.raises(ValueError, match=r"VOC2012: holds demo data made with .*delete the folder"):
        make_demo(made, **arguments)


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "VOC2012" / "JPEGImages").mkdir(parents=True)
    (tmp_path / "VOC2012" / "JPEGImages" / "2007_000001.jpg").write_bytes(b"mine")
    before = files(tmp_path)
    with pytest.raises(ValueError, match=r"VOC2012: is not empty and holds no demo data"):
        make_demo(tmp_path / "VOC2012", train=1, val=1)
    assert files(tmp_path) == before


def test_annotations_instances_and_semantic_labels_agree(made: Path) -> None:
    dataset = voc12.Dataset(made)
    ids = dataset.split("trainval")
    labels = dataset.image_labels(ids)
    for image_id, label in zip(ids, labels, strict=True):
        masks, classes = dataset.instance_label(image_id)
        semantic = dataset.semantic_label(image_id)
        np.testing.assert_array_equal(np.unique(classes), np.flatnonzero(label))
        for mask, class_id in zip(masks, classes, strict=True):
            assert (semantic[mask] == class_id + 1).all()
        np.testing.assert_array_equal(masks.any(axis=0), (semantic > 0) & (semantic < 255))
    assert (labels.sum(axis=0) > 0).sum() >= 6
    assert set(labels.sum(axis=1)) == {1, 2}


def test_borders_are_ignored_on_both_sides_of_every_outline(made: Path) -> None:
    for path in sorted((made / "SegmentationObject").iterdir()):
        objects = read_label(path)
        semantic = read_label(made / "SegmentationClass" / path.name)
        np.testing.assert_array_equal(objects == 255, semantic == 255)
        for first, second in ((objects[1:], objects[:-1]), (objects[:, 1:], objects[:, :-1])):
            assert ((first == second) | (first == 255) | (second == 255)).all()
        assert 0 < (objects == 255).mean() < 0.2
