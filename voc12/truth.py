"""Ground truth of VOC's images: VOC's own, that of train_aug, or SBD's; the first available."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.files.images import read_label
from misc.files.object_maps import read_class_map, split_objects
from voc12.names import CLASS_NAMES
from voc12.sbd import read_sbd_instances, read_sbd_semantic, sbd_folder

WHO_HAS = (
    "train and val have segmentation labels; for other images of train_aug put "
    "SegmentationClassAug beside SegmentationClass, or name SBD with --sbd_root"
)


class Truth:
    """The ground truth of a devkit folder.

    SegmentationClass and SegmentationObject hold ID.png of train and val, SegmentationClassAug
    ID.png of train_aug, semantic labels only; inst and cls in SBD's folder hold ID.mat.
    """

    def __init__(self, root: Path, sbd_root: Path | None) -> None:
        self._classes, self._objects = root / "SegmentationClass", root / "SegmentationObject"
        self._augmented = root / "SegmentationClassAug"
        self._sbd = sbd_root

    def present(self, ids: Sequence[str], kinds: Sequence[str]) -> list[str]:
        """Return the ids, in their order, that have ground truth of all these kinds."""
        sources = {"semantic": self._semantic_names, "instance": self._instance_names}
        there = [sources[kind]() for kind in kinds]
        return [i for i in ids if all(i in names for names in there)]

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
            path, semantic = self._pair(image_id)
            lacking = semantic if path.is_file() else path
            raise FileNotFoundError(
                f"{lacking}: no such file; train and val have instances, other images of "
                "train_aug with SBD, named by --sbd_root"
            )
        if files[0].suffix == ".mat":
            return read_sbd_instances(files[0])
        path, semantic = files
        return split_objects(path, read_label(path), read_class_map(semantic, len(CLASS_NAMES)))

    def files(self, image_id: str, kind: str) -> list[Path]:
        """Return the files that an image's ground truth of a kind is read from; none without."""
        objects, classes = self._pair(image_id)
        of_semantic = [[classes], [self._augmented / classes.name]]
        for files in of_semantic if kind == "semantic" else [[objects, classes]]:
            if all(path.is_file() for path in files):
                return files
        sbd = self._sbd_path({"semantic": "cls", "instance": "inst"}[kind], image_id)
        return [] if sbd is None else [sbd]

    def _pair(self, image_id: str) -> tuple[Path, Path]:
        name = f"{image_id}.png"
        return self._objects / name, self._classes / name

    def _semantic_names(self) -> frozenset[str]:
        return self._labels(self._classes) | self._labels(self._augmented) | self._mats("cls")

    def _instance_names(self) -> frozenset[str]:
        return self._labels(self._objects) & self._labels(self._classes) | self._mats("inst")

    def _labels(self, folder: Path) -> frozenset[str]:
        return names_in(folder, ".png")

    def _mats(self, kind: str) -> frozenset[str]:
        folder = None if self._sbd is None else sbd_folder(self._sbd, [kind])
        return frozenset() if folder is None else names_in(folder / kind, ".mat")

    def _sbd_path(self, kind: str, image_id: str) -> Path | None:
        folder = None if self._sbd is None else sbd_folder(self._sbd, [kind])
        path = None if folder is None else folder / kind / f"{image_id}.mat"
        return path if path is not None and path.is_file() else None
