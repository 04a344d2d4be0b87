"""Lists of image ids: the splits of VOC 2012 and a user's own text files."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from misc.files.atomic import names_in
from misc.files.id_lists import list_file, read_list
from voc12.sbd import INSIDE, sbd_folder

SPLITS = ("train", "val", "trainval", "test", "train_aug")
EXPECTED_COUNTS = {"train": 1464, "val": 1449, "trainval": 2913, "test": 1456, "train_aug": 10582}

_log = logging.getLogger(__name__)


def read_split(
    root: Path,
    name_or_file: str | os.PathLike[str],
    *,
    sbd_root: Path | None = None,
    counts: Mapping[str, int] = EXPECTED_COUNTS,
) -> list[str]:
    """Return the image ids of a split, or of a text file, and check that each has its image.

    Args:
        root: the devkit folder, VOC2012.
        name_or_file: train, val, trainval or test (ImageSets/Segmentation), train_aug (see
            train_aug), or the path of a text file as read_list takes it.
        sbd_root: the folder of the Semantic Boundaries Dataset, a source of train_aug.
        counts: the expected number of images by split, from which others are logged; none for
            generated data.
    """
    name = os.fspath(name_or_file)
    if name == "train_aug":
        ids, source = train_aug(root, sbd_root=sbd_root, counts=counts), f"split {name}"
    elif name in SPLITS:
        path = root / "ImageSets" / "Segmentation" / f"{name}.txt"
        ids, source = read_list(path), os.fspath(path)
        _check_count(counts, name, ids, source)
    else:
        ids, source = read_list(list_file(name, splits=SPLITS)), name
    _check_images(root, ids, source)
    return ids


def train_aug(
    root: Path,
    *,
    sbd_root: Path | None = None,
    counts: Mapping[str, int] = EXPECTED_COUNTS,
) -> list[str]:
    """Return the training ids augmented with those of SBD, from the first available source.

    A list named train_aug.txt or trainaug.txt under ImageSets (in its order); the files of
    SegmentationClassAug; SBD's own lists with VOC's train; else, with a warning, every annotated
    image of ImageSets/Main/trainval with VOC's train. What is derived is sorted and without VOC's
    val.
    """
    lists = sorted((root / "ImageSets").rglob("train_aug.txt"))
    lists += sorted((root / "ImageSets").rglob("trainaug.txt"))
    labels = root / "SegmentationClassAug"
    if lists:
        ids, source = read_list(lists[0]), os.fspath(lists[0])
    elif labels.is_dir():
        ids, source = _without_val(root, names_in(labels, ".png")), os.fspath(labels)
    elif sbd_root is not None:
        ids, source = _without_val(root, _sbd_ids(sbd_root) | _train(root)), os.fspath(sbd_root)
    else:
        return _annotated(root, counts)
    _check_count(counts, "train_aug", ids, source)
    return ids


def _annotated(root: Path, counts: Mapping[str, int]) -> list[str]:
    named = set(read_list(root / "ImageSets" / "Main" / "trainval.txt"))
    annotated = named & names_in(root / "Annotations", ".xml")
    ids = _without_val(root, annotated | _train(root))
    if "train_aug" in counts:
        _log.warning(
            f"train_aug: neither a list train_aug.txt under {root / 'ImageSets'}, nor "
            f"{root / 'SegmentationClassAug'}, nor --sbd_root exists; taking the {len(ids)} "
            "annotated images of Main/trainval and train that are not in val (the published list "
            f"has {counts['train_aug']})"
        )
    return ids


def _sbd_ids(sbd_root: Path) -> set[str]:
    names = ("train.txt", "val.txt")
    folder = sbd_folder(sbd_root, names)
    if folder is None:
        inside = " or in ".join(INSIDE[1:])
        raise FileNotFoundError(
            f"--sbd_root {sbd_root}: no train.txt and val.txt in it, in {inside}"
        )
    return {image_id for name in names for image_id in read_list(folder / name)}


def _train(root: Path) -> set[str]:
    return set(read_list(root / "ImageSets" / "Segmentation" / "train.txt"))


def _without_val(root: Path, ids: Iterable[str]) -> list[str]:
    return sorted(set(ids).difference(read_list(root / "ImageSets" / "Segmentation" / "val.txt")))


def _check_count(counts: Mapping[str, int], name: str, ids: list[str], source: str) -> None:
    expected = counts.get(name, len(ids))
    if len(ids) != expected:
        _log.warning(
            "%s: split %s has %d images, VOC 2012's has %d", source, name, len(ids), expected
        )


def _check_images(root: Path, ids: list[str], source: str) -> None:
    folder = root / "JPEGImages"
    present = names_in(folder, ".jpg")
    missing = [image_id for image_id in ids if image_id not in present]
    if missing:
        hint = f"{folder / missing[0]}.jpg is expected"
        if missing[0].split()[0] in present:  # as in ImageSets/Main/cat_train.txt
            hint = "a line is an id alone, without the marks of the class lists in ImageSets/Main"
        raise FileNotFoundError(
            f"{source}: {len(missing)} of {len(ids)} ids have no image, the first is "
            f"{missing[0]!r}; {hint}"
        )
