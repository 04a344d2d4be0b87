"""The splits of VOC 2012."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from misc.files.atomic import names_in
from misc.files.id_lists import read_list
from voc12.sbd import INSIDE, sbd_folder

SPLITS = ("train", "val", "trainval", "test", "train_aug")
EXPECTED_COUNTS = {"train": 1464, "val": 1449, "trainval": 2913, "test": 1456, "train_aug": 10582}

_log = logging.getLogger(__name__)


def list_of(root: Path, split: str) -> Path:
    """Return the path of the devkit's own list of a split."""
    return root / "ImageSets" / "Segmentation" / f"{split}.txt"


def read_split(root: Path, name: str, *, sbd_root: Path | None) -> tuple[list[str], str]:
    """Return the image ids of a split, and where they come from.

    train, val, trainval and test are lists of ImageSets/Segmentation. train_aug, the training ids
    augmented with those of SBD, comes from the first available source: a list named train_aug.txt
    or trainaug.txt under ImageSets (in its order); the files of SegmentationClassAug; SBD's own
    lists with VOC's train; else, with a warning, every annotated image of ImageSets/Main/trainval
    with VOC's train. What is derived is sorted and without VOC's val.
    """
    lists, labels = root / "ImageSets", root / "SegmentationClassAug"
    if name != "train_aug":
        path = list_of(root, name)
        return read_list(path), os.fspath(path)
    for spelling in ("train_aug.txt", "trainaug.txt"):
        for path in sorted(lists.rglob(spelling)):
            return read_list(path), os.fspath(path)
    if labels.is_dir():
        return _without_val(root, names_in(labels, ".png")), os.fspath(labels)
    train = read_list(list_of(root, "train"))
    if sbd_root is not None:
        return _without_val(root, [*_sbd_ids(sbd_root), *train]), os.fspath(sbd_root)
    annotated = names_in(root / "Annotations", ".xml")
    main = lists / "Main" / "trainval.txt"
    ids = _without_val(root, [*annotated.intersection(read_list(main)), *train])
    _log.warning(
        f"train_aug: neither a list train_aug.txt under {lists}, nor {labels}, nor --sbd_root "
        f"exists; taking the {len(ids)} annotated images of Main/trainval and train that are not "
        "in val"
    )
    return ids, os.fspath(main)


def _sbd_ids(sbd_root: Path) -> list[str]:
    names = ("train.txt", "val.txt")
    folder = sbd_folder(sbd_root, names)
    if folder is None:
        inside = " or in ".join(INSIDE[1:])
        raise FileNotFoundError(
            f"--sbd_root {sbd_root}: no train.txt and val.txt in it, in {inside}"
        )
    return [image_id for name in names for image_id in read_list(folder / name)]


def _without_val(root: Path, ids: Iterable[str]) -> list[str]:
    return sorted(set(ids).difference(read_list(list_of(root, "val"))))
