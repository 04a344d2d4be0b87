import os
import shutil

from voc_tree import write_list

from voc12 import Dataset
from voc12.splits import EXPECTED_COUNTS


def identify(root, ids=None):
    return Dataset(root).identify(ids)


def test_a_data_set_is_the_same_wherever_it_lies_and_whenever_it_was_copied(voc_root, tmp_path):
    before = identify(voc_root)
    assert before.startswith("voc12, 3 images, 20 classes, digest ")
    copy = tmp_path / "elsewhere"
    shutil.copytree(voc_root, copy)
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
    assert identify(copy) == before
    assert identify(os.path.relpath(copy)) == before


def test_other_lists_images_and_annotations_are_other_data(voc_root):
    known = {identify(voc_root)}
    image = voc_root / "JPEGImages" / "2007_000002.jpg"
    image.write_bytes(image.read_bytes() + b"\0")
    known.add(identify(voc_root))
    xml = voc_root / "Annotations" / "2007_000002.xml"
    xml.write_text(xml.read_text() + "\n")
    known.add(identify(voc_root))
    xml.unlink()
    known.add(identify(voc_root))
    write_list(voc_root, "Segmentation/train", ["2008_000004"])
    known.add(identify(voc_root))
    assert len(known) == 5


def test_of_a_list_the_order_counts_and_the_files_do(voc_root):
    ids = ["2007_000001", "2007_000002"]
    assert identify(voc_root, ids) != identify(voc_root, ids[::-1])
    image = voc_root / "JPEGImages" / "2007_000003.jpg"
    before = identify(voc_root, ids), identify(voc_root, [*ids, "2007_000003"])
    image.write_bytes(image.read_bytes() + b"\0")
    assert identify(voc_root, ids) == before[0]
    assert identify(voc_root, [*ids, "2007_000003"]) != before[1]


def test_published_figures_belong_to_vocs_own_splits_only(voc_root):
    assert Dataset(voc_root).published("eval_sem_seg", "train") == {}
    write_list(voc_root, "Segmentation/train", [f"a{i}" for i in range(EXPECTED_COUNTS["train"])])
    assert Dataset(voc_root, name="demo").published("eval_sem_seg", "train") == {}
    dataset = Dataset(voc_root)
    assert dataset.published("eval_sem_seg", "train") == {"mIoU": 0.665}
    assert dataset.published("eval_deeplab", "val") == {}
    assert dataset.published("train_cam", "train") == {}
