"""Lists of image ids: the splits, a user's files and where train_aug comes from."""

from pathlib import Path

import pytest
from voc_tree import annotation, write_list

from misc.files.id_lists import read_list
from voc12 import Dataset

FIRST, SECOND, THIRD, FOURTH = "2007_000001", "2007_000002", "2007_000003", "2008_000004"


def read_split(root, name_or_file, **options):
    return Dataset(root, **options).split(name_or_file)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "some list.txt"


def test_named_split_keeps_the_order_of_its_file(voc_root: Path) -> None:
    assert read_split(voc_root, "train") == [FIRST]
    assert read_split(voc_root, "val") == [THIRD, SECOND]


def test_unknown_split_names_those_accepted(voc_root: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown split 'trian'; .*train, val, trainval, test, train_aug or a text",
    ):
        read_split(voc_root, "trian")


def test_id_without_its_image_is_named(voc_root: Path, listed: Path) -> None:
    listed.write_text(f"{FIRST}\nghost\nspectre\n")
    with pytest.raises(
        FileNotFoundError,
        match=r"some list\.txt: 2 of 3 ids have no image, .*'ghost'; .*ghost\.jpg",
    ):
        read_split(voc_root, listed)


def test_lines_of_other_programs_give_their_ids(listed: Path) -> None:
    listed.write_text(
        "/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png\n"
        "/JPEGImages/a photo.jpg /SegmentationClassAug/a photo.png\n"
        "/JPEGImages/2007_000039.jpg\n"
        "JPEGImages/2007_000063.jpg SegmentationClass/2007_000063.png\n"
        "2007_000068.jpg\n"
        "2008_000008 0 14\n"
        "COCO_train2014_000000000001 16\n"
        "photo 3\n"
    )
    assert read_list(listed) == [
        "2007_000032",
        "a photo",
        "2007_000039",
        "2007_000063",
        "2007_000068",
        "2008_000008",
        "COCO_train2014_000000000001",
        "photo 3",
    ]


def test_blank_lines_comments_and_other_line_ends_are_tolerated(listed: Path) -> None:
    listed.write_bytes("\ufeff# mine\r\n\r\n  a b \r\n東京 🐈\r\n\n#x\nlast".encode())
    assert read_list(listed) == ["a b", "東京 🐈", "last"]


@pytest.mark.parametrize(
    "line",
    [
        "../../etc/passwd",
        "a\x00b",
        "JPEGImages/2007_000032",
    ],
)
def test_line_that_is_no_id_is_refused_with_its_number(listed: Path, line: str) -> None:
    listed.write_text(f"fine\n{line}\n")
    with pytest.raises(ValueError, match=r"some list\.txt, line 2: .* is no image id"):
        read_list(listed)


def test_train_aug_is_first_a_list_under_image_sets(
    voc_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (voc_root / "SegmentationClassAug").mkdir()
    write_list(voc_root, "SegmentationAug/trainaug", [FOURTH, FIRST])
    assert read_split(voc_root, "train_aug") == [FOURTH, FIRST]
    assert "split train_aug has 2 images, VOC 2012's has 10582" in caplog.text
    write_list(voc_root, "Segmentation/train_aug", [FIRST])
    assert read_split(voc_root, "train_aug") == [FIRST]


def test_train_aug_is_then_the_augmented_labels_without_val(voc_root: Path, tmp_path: Path) -> None:
    (voc_root / "SegmentationClassAug").mkdir()
    for image_id in (FOURTH, FIRST, SECOND):
        (voc_root / "SegmentationClassAug" / f"{image_id}.png").touch()
    assert read_split(voc_root, "train_aug", sbd_root=tmp_path) == [FIRST, FOURTH]


@pytest.mark.parametrize("folder", ["", "dataset", "benchmark_RELEASE/dataset"])
def test_train_aug_is_then_sbd_with_train_and_without_val(
    voc_root: Path, tmp_path: Path, folder: str
) -> None:
    sbd = tmp_path / "sbd" / folder
    sbd.mkdir(parents=True)
    (sbd / "train.txt").write_text(f"{FOURTH}\n{THIRD}\n")
    (sbd / "val.txt").write_text(f"{SECOND}\n")
    assert read_split(voc_root, "train_aug", sbd_root=tmp_path / "sbd") == [FIRST, FOURTH]


def test_train_aug_is_last_the_annotated_images_with_a_warning(
    voc_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (voc_root / "Annotations" / f"{FOURTH}.xml").unlink()
    unlisted = "2010_000005"
    (voc_root / "Annotations" / f"{unlisted}.xml").write_text(annotation(["cat"]))
    assert read_split(voc_root, "train_aug") == [FIRST]
    assert "taking the 1 annotated images" in caplog.text
    assert "--sbd_root" in caplog.text
