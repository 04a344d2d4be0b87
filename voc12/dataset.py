"""The images and labels of a VOC 2012 devkit folder."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from misc.imutils import IGNORE, read_image, read_label
from voc12.annotations import Annotations
from voc12.names import CLASS_NAMES
from voc12.splits import read_split

FOLDERS = ("JPEGImages", "Annotations", "ImageSets")

_log = logging.getLogger(__name__)


class Dataset:
    """VOC 2012, or a folder laid out like it: image ids in, images and labels out.

    Making one reads no list and no image, and it can be sent to worker processes.

    Args:
        root: the devkit folder, VOC2012, with JPEGImages, Annotations and ImageSets;
            SegmentationClass and SegmentationObject where labels are evaluated.
        sbd_root: folder of the Semantic Boundaries Dataset, one source of train_aug.
        cache_dir: a writable folder that keeps the image-level labels between processes, so that
            the XML files are parsed once and not in every stage.
        limit: take only so many images, the first, of every list.

    Raises:
        FileNotFoundError: `root` or `sbd_root` is not there, or `root` lacks a folder.
    """

    class_names = CLASS_NAMES

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        sbd_root: str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        limit: int | None = None,
    ) -> None:
        self.root = Path(root)
        self.limit = limit
        self.sbd_root = None if sbd_root is None else Path(sbd_root)
        _check_root(self.root)
        if self.sbd_root is not None and not self.sbd_root.is_dir():
            raise FileNotFoundError(f"--sbd_root {self.sbd_root}: no such folder")
        self._annotations = Annotations(
            self.root / "Annotations", cache_dir=None if cache_dir is None else Path(cache_dir)
        )

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Give the ids of a split or of a text file of ids; see voc12.splits.read_split."""
        return read_split(self.root, name_or_file, sbd_root=self.sbd_root)[: self.limit]

    def image_path(self, image_id: str) -> Path:
        """Give the path of an image's file."""
        return self.root / "JPEGImages" / f"{image_id}.jpg"

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3); raises as misc.imutils.read_image."""
        return read_image(self.image_path(image_id))

    def image_labels(self, ids: Sequence[str]) -> np.ndarray:
        """Give the image-level labels: float32 (N, C), 1 where an image shows a class, else 0.

        Raises as voc12.annotations.read_classes.
        """
        labels = np.zeros((len(ids), len(self.class_names)), np.float32)
        for row, classes in zip(labels, self._annotations.classes(ids), strict=True):
            row[classes] = 1
        return labels

    def has_truth(self, image_id: str) -> bool:
        """Whether an image has ground truth of both kinds, semantic labels and instances."""
        folders = ("SegmentationClass", "SegmentationObject")
        return all((self.root / folder / f"{image_id}.png").is_file() for folder in folders)

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore.

        Raises:
            FileNotFoundError: the image has no label.
            ValueError: the file is no label map, or has other values than these.
        """
        path = self._label_path("SegmentationClass", image_id)
        label = read_label(path)
        strange = label[(label > len(self.class_names)) & (label != IGNORE)]
        if strange.size:
            raise ValueError(
                f"{path}: has the value {strange[0]}; a label is 0, a class id + 1 up to "
                f"{len(self.class_names)}, or {IGNORE}"
            )
        return label

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0.

        An instance is an id of SegmentationObject that is neither 0 nor 255; its class is the
        commonest in SegmentationClass under it (METHOD.md, section 8). One with no class pixel
        under it is left out with a warning.

        Raises:
            FileNotFoundError: the image has no label.
            ValueError: a file is no label map, or the two differ in size.
        """
        semantic = self.semantic_label(image_id)
        path = self._label_path("SegmentationObject", image_id)
        objects = read_label(path)
        if objects.shape != semantic.shape:
            raise ValueError(
                f"{path}: is {objects.shape} pixels, but SegmentationClass is {semantic.shape}"
            )
        masks, classes = [], []
        for object_id in np.setdiff1d(objects, [0, IGNORE]):
            mask = objects == object_id
            under = semantic[mask]
            under = under[(under != 0) & (under != IGNORE)]
            if not under.size:
                _log.warning("%s: object %d has no class and is left out", path, object_id)
                continue
            masks.append(mask)
            classes.append(np.bincount(under).argmax() - 1)
        return np.array(masks, bool).reshape(-1, *objects.shape), np.array(classes, np.int64)

    def _label_path(self, folder: str, image_id: str) -> Path:
        path = self.root / folder / f"{image_id}.png"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such file; only images of train and val have segmentation labels"
            )
        return path


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise FileNotFoundError(f"--voc12_root {root}: no such folder")
    missing = _missing_folders(root)
    if not missing:
        return
    near = [root.parent, *sorted(root.glob("VOC*")), *sorted(root.glob("VOC*/VOC*"))]
    meant = next((f"; did you mean {path}?" for path in near if not _missing_folders(path)), "")
    raise FileNotFoundError(
        f"--voc12_root {root}: not a VOC devkit folder, it lacks {', '.join(missing)}{meant}"
    )


def _missing_folders(root: Path) -> list[str]:
    return [name for name in FOLDERS if not (root / name).is_dir()]
