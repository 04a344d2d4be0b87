"""Ground truth of VOC's images: VOC's own, that of train_aug, or SBD's; the first available."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.files.images import read_label
from misc.files.object_maps import read_class_map, split_objects
from voc12.annotations import CLASS_NAMES
from voc12.sbd import read_sbd_instances, read_sbd_semantic, sbd_folder

WHO_HAS = (
    "train and val have segmentation labels; for other images of train_aug put "
    "SegmentationClassAug beside SegmentationClass, or name SBD with --sbd_root"
)

SBD_FOLDERS = {"semantic": "cls", "instance": "inst"}


class Truth:
    """The ground truth of a devkit folder.

    SegmentationClass and SegmentationObject hold ID.png of train and val, SegmentationClassAug
    ID.png of train_aug, semantic labels only; inst and cls in SBD's folder hold ID.mat.
    """

    def __init__(self, root: Path, sbd_root: Path | None) -> None:
        self._classes, self._objects = root / "SegmentationClass", root / "SegmentationObject"
        # By kind the sources in order, each the folders that must all have an image's file.
        self._sources = {
            "semantic": [[self._classes], [root / "SegmentationClassAug"]],
            "instance": [[self._objects, self._classes]],
        }
        for kind, name in SBD_FOLDERS.items():
            if sbd_root is not None and (sbd := sbd_folder(sbd_root, [name])) is not None:
                self._sources[kind].append([sbd / name])

    def present(self, ids: Sequence[str], kinds: Sequence[str]) -> list[str]:
        """Return the ids, in their order, that have ground truth of all these kinds."""
        left = list(ids)
        for kind in kinds:
            there = set[str]()
            for folders in self._sources[kind]:
                there |= frozenset.intersection(*map(_ids_in, folders))
            left = [image_id for image_id in left if image_id in there]
        return left

    def files(self, image_id: str, kind: str) -> list[Path]:
        """Return the files that an image's ground truth of a kind is read from; none without."""
        for folders in self._sources[kind]:
            files = [folder / f"{image_id}{_ending(folder)}" for folder in folders]
            if all(path.is_file() for path in files):
                return files
        return []

    def semantic(self, image_id: str) -> np.ndarray:
        """Read a semantic label; see voc12.dataset.Dataset.semantic_label."""
        files = self.files(image_id, "semantic")
        if not files:
            raise FileNotFoundError(
                f"{self._classes / image_id}.png: no such file, and none elsewhere; {WHO_HAS}"
            )
        if files[0].suffix == ".mat":
            return read_sbd_semantic(files[0])
        return read_class_map(files[0], len(CLASS_NAMES))

    def instances(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances; see voc12.dataset.Dataset.instance_label."""
        files = self.files(image_id, "instance")
        if not files:
            objects = self._objects / f"{image_id}.png"
            lacking = self._classes / objects.name if objects.is_file() else objects
            raise FileNotFoundError(
                f"{lacking}: no such file; train and val have instances, other images of "
                "train_aug with SBD, named by --sbd_root"
            )
        if files[0].suffix == ".mat":
            return read_sbd_instances(files[0])
        path, semantic = files
        return split_objects(path, read_label(path), read_class_map(semantic, len(CLASS_NAMES)))


def _ids_in(folder: Path) -> frozenset[str]:
    return names_in(folder, _ending(folder))


def _ending(folder: Path) -> str:
    return ".mat" if folder.name in SBD_FOLDERS.values() else ".png"
