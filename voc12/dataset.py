"""The images and labels of a VOC 2012 devkit folder."""

import logging
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files import dataset
from misc.files.atomic import atomic_path, names_in
from misc.files.dataset import ARCHIVE, KINDS
from misc.files.digests import file_size
from misc.files.id_lists import list_file, read_list
from misc.files.images import read_label
from misc.files.labels import semantic_paths
from misc.files.object_maps import read_class_map, split_objects
from misc.files.palette import voc_palette
from misc.settings.config import Config
from voc12.annotations import CLASS_NAMES, read_classes
from voc12.sbd import read_sbd_instances, read_sbd_semantic, sbd_folder
from voc12.splits import EXPECTED_COUNTS, SPLITS, list_of, read_split

_log = logging.getLogger(__name__)
NAME = "voc12"
# By stage and split: the published figures (METHOD section 10).
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {
    ("eval_cam", "train"): {"mIoU": 0.483},
    ("eval_ins_seg", "train"): {"AP50": 0.377},
    ("eval_sem_seg", "train"): {"mIoU": 0.665},
    ("eval_mask_rcnn", "val"): {"AP50": 0.467, "AP70": 0.235},
    ("eval_deeplab", "val"): {"mIoU": 0.635},
    ("eval_deeplab", "test"): {"mIoU": 0.648},
}
IN_ARCHIVE = Path("results", "VOC2012", "Segmentation", "comp6_test_cls")
FOLDERS = ("JPEGImages", "Annotations", "ImageSets")
TRUTH_OF_VOC = ("Object", "Class")
ROOT_FLAGS = "--voc12_root, or --data_root,"  # either may have been typed
SBD_FOLDERS = {"semantic": "cls", "instance": "inst"}


class Dataset(dataset.Dataset):
    """VOC 2012, or a folder laid out like it.

    Args:
        root: the devkit folder, VOC2012, with JPEGImages, Annotations and ImageSets;
            SegmentationClass and SegmentationObject where labels are evaluated.
        sbd_root: folder of the Semantic Boundaries Dataset, one source of train_aug and of the
            ground truth of its images.
        limit: use only this many first images of every list.
        name: the data set's name; another folder laid out like VOC has no published figures.
    """

    class_names = CLASS_NAMES
    palette = voc_palette()

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        sbd_root: str | os.PathLike[str] | None = None,
        limit: int | None = None,
        name: str = NAME,
    ) -> None:
        self.root = Path(root)
        self.name = name
        self.limit = limit
        self.sbd_root = None if sbd_root is None else Path(sbd_root)
        _check_root(self.root)
        if self.sbd_root is not None and not self.sbd_root.is_dir():
            raise FileNotFoundError(f"--sbd_root {self.sbd_root}: no such folder")
        self._truth = self._truth_folders()
        self._classes: dict[str, list[int]] = {}  # of the annotations that have been read

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on one of VOC 2012's own splits."""
        figures, path = PUBLISHED.get((stage, split), {}), list_of(self.root, split)
        if not figures or self.name != NAME or not path.is_file():
            return {}
        return figures if len(read_list(path)) == EXPECTED_COUNTS[split] else {}

    def all_ids(self) -> list[str]:
        """Return the images of the lists train and val, or all where there are none."""
        paths = [path for name in ("train", "val") if (path := list_of(self.root, name)).is_file()]
        ids = [image_id for path in paths for image_id in read_list(path)]
        return list(dict.fromkeys(ids)) or sorted(names_in(self.root / "JPEGImages", ".jpg"))

    def image_facts(self, image_id: str) -> str:
        """Return the sizes of an image's file and of its annotation."""
        return f"{file_size(self.image_path(image_id))} {file_size(self._annotation(image_id))}"

    def truth_files(self, image_id: str, kind: str) -> Sequence[Path]:
        """Return the files that an image's ground truth of a kind is read from."""
        for folders in self._truth[kind]:
            files = [folder / f"{image_id}{_ending(folder)}" for folder in folders]
            if all(path.is_file() for path in files):
                return files
        return []

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of a split (see voc12.splits), or of a text file of ids."""
        name = os.fspath(name_or_file)
        if name in SPLITS:
            ids, source = read_split(self.root, name, sbd_root=self.sbd_root)
            if self.name == NAME and len(ids) != (expected := EXPECTED_COUNTS[name]):
                words = "%s: split %s has %d images, VOC 2012's has %d"
                _log.warning(words, source, name, len(ids), expected)
        else:
            ids, source = read_list(list_file(name, splits=SPLITS)), name
        self._check_images(ids, source)
        return ids[: self.limit]

    def _check_images(self, ids: list[str], source: str) -> None:
        folder = self.root / "JPEGImages"
        present = names_in(folder, ".jpg")
        missing = [image_id for image_id in ids if image_id not in present]
        if missing:
            hint = f"{folder / missing[0]}.jpg is expected"
            if missing[0].split()[0] in present:  # as in ImageSets/Main/cat_train.txt
                hint = (
                    "a line is an id alone, without the marks of the class lists in ImageSets/Main"
                )
            raise FileNotFoundError(
                f"{source}: {len(missing)} of {len(ids)} ids have no image, the first is "
                f"{missing[0]!r}; {hint}"
            )

    def _annotation(self, image_id: str) -> Path:
        return self.root / "Annotations" / f"{image_id}.xml"

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self.root / "JPEGImages" / f"{image_id}.jpg"

    def classes(self, image_id: str) -> list[int]:
        """Return the classes of the objects in an image's annotation, from 0."""
        if image_id not in self._classes:
            self._classes[image_id] = read_classes(self._annotation(image_id))
        return self._classes[image_id]

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that have an image-level label."""
        there = names_in(self.root / "Annotations", ".xml")
        return [image_id for image_id in ids if image_id in there]

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have ground truth of these kinds."""
        left = list(ids)
        for kind in kinds:
            there = set[str]()
            for folders in self._truth[kind]:
                there |= frozenset.intersection(*(names_in(f, _ending(f)) for f in folders))
            left = [image_id for image_id in left if image_id in there]
        return left

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
        files = self.truth_files(image_id, "semantic")
        if not files:
            raise FileNotFoundError(
                f"{self.root / 'SegmentationClass' / image_id}.png: no such file, and none "
                "elsewhere; train and val have segmentation labels; for other images of train_aug "
                "put SegmentationClassAug beside SegmentationClass, or name SBD with --sbd_root"
            )
        if files[0].suffix == ".mat":
            return read_sbd_semantic(files[0])
        return read_class_map(files[0], len(CLASS_NAMES))

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0.

        An instance is an id of SegmentationObject that is neither 0 nor 255; its class is the most
        frequent in SegmentationClass under it (METHOD.md, section 8). One with no class pixel
        under it is left out with a warning. An image without these has SBD's instances.
        """
        files = self.truth_files(image_id, "instance")
        if not files:
            paths = [self.root / f"Segmentation{kind}/{image_id}.png" for kind in TRUTH_OF_VOC]
            lacking = next(path for path in paths if not path.is_file())
            raise FileNotFoundError(
                f"{lacking}: no such file; train and val have instances, other images of "
                "train_aug with SBD, named by --sbd_root"
            )
        if files[0].suffix == ".mat":
            return read_sbd_instances(files[0])
        path, semantic = files
        return split_objects(path, read_label(path), read_class_map(semantic, len(CLASS_NAMES)))

    def _truth_folders(self) -> dict[str, list[list[Path]]]:
        """Return by kind the sources of truth in order: folders that all have an image's file.

        VOC's own ID.png are of train and val, those of SegmentationClassAug of train_aug, semantic
        labels only; SBD's cls and inst hold ID.mat.
        """
        objects, classes = (self.root / f"Segmentation{kind}" for kind in TRUTH_OF_VOC)
        folders = {
            "semantic": [[classes], [self.root / "SegmentationClassAug"]],
            "instance": [[objects, classes]],
        }
        for kind, name in SBD_FOLDERS.items():
            sbd = None if self.sbd_root is None else sbd_folder(self.sbd_root, [name])
            folders[kind] += [] if sbd is None else [[sbd / name]]
        return folders

    def pack(self, folder: Path, ids: Sequence[str]) -> Path:
        """Pack the palette PNGs of these images for VOC's server; those of other lists stay out."""
        archive = folder / ARCHIVE
        with atomic_path(archive) as temporary, tarfile.open(temporary, "w:gz") as packed:
            for image_id in sorted(ids):
                _, coloured = semantic_paths(folder, image_id)
                packed.add(coloured, IN_ARCHIVE / coloured.name)
        return archive


def from_config(config: Config) -> Dataset:
    """Open VOC 2012 in --data_root."""
    return Dataset(config.data_root or "", sbd_root=config.sbd_root, limit=config.limit)


def _ending(folder: Path) -> str:
    return ".mat" if folder.name in SBD_FOLDERS.values() else ".png"


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise FileNotFoundError(f"{ROOT_FLAGS} {root}: no such folder")
    missing = _missing_folders(root)
    if not missing:
        return
    near = [root.parent, *sorted(root.glob("VOC*")), *sorted(root.glob("VOC*/VOC*"))]
    meant = next((f"; did you mean {path}?" for path in near if not _missing_folders(path)), "")
    raise FileNotFoundError(
        f"{ROOT_FLAGS} {root}: not a VOC devkit folder, it lacks {', '.join(missing)}{meant}"
    )


def _missing_folders(root: Path) -> list[str]:
    return [name for name in FOLDERS if not (root / name).is_dir()]
