"""The images and labels of a VOC 2012 devkit folder."""

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files import dataset
from misc.files.atomic import atomic_path, names_in
from misc.files.dataset import ARCHIVE, KINDS
from misc.files.digests import content_digest, file_sizes
from misc.files.id_lists import read_list
from misc.files.images import read_image
from misc.files.labels import semantic_paths
from misc.files.palette import voc_palette
from misc.settings.config import Config
from voc12.annotations import read_classes
from voc12.names import CLASS_NAMES
from voc12.splits import EXPECTED_COUNTS, read_split
from voc12.truth import Truth

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


class Dataset(dataset.Dataset):
    """VOC 2012, or a folder laid out like it.

    Args:
        root: the devkit folder, VOC2012, with JPEGImages, Annotations and ImageSets;
            SegmentationClass and SegmentationObject where labels are evaluated.
        sbd_root: folder of the Semantic Boundaries Dataset, one source of train_aug and of the
            ground truth of its images.
        limit: use only this many first images of every list.
        name: the data set's name.
        made_from: of generated data what they were generated from: their identity, in place of
            the sizes of files. Their splits have counts of their own and no published figures.
    """

    class_names = CLASS_NAMES
    palette = voc_palette()

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        sbd_root: str | os.PathLike[str] | None = None,
        limit: int | None = None,
        name: str = "voc12",
        made_from: str = "",
    ) -> None:
        self.root = Path(root)
        self.name = name
        self._made_from = made_from
        self._counts = {} if made_from else EXPECTED_COUNTS
        self.limit = limit
        self.sbd_root = None if sbd_root is None else Path(sbd_root)
        _check_root(self.root)
        if self.sbd_root is not None and not self.sbd_root.is_dir():
            raise FileNotFoundError(f"--sbd_root {self.sbd_root}: no such folder")
        self._truth = Truth(self.root, self.sbd_root)
        self._classes: dict[str, list[int]] = {}  # of the annotations that have been read

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on one of VOC 2012's own splits."""
        path = self._list(split)
        is_own = path.is_file() and len(read_list(path)) == self._counts.get(split)
        return PUBLISHED.get((stage, split), {}) if is_own else {}

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the name, number of images, and digests that copying does not change.

        They cover each image's id, its index in the list, and the sizes of its file and annotation;
        of generated data what they were made from, in place of the sizes. By default the images
        are those of the lists train and val, or all where there are none.
        """
        ids = self._own_ids() if ids is None else ids
        digest = hashlib.sha256("\n".join([*ids, self._made_from]).encode())
        if not self._made_from:
            paths = [path for i in ids for path in (self.image_path(i), self._annotation(i))]
            digest.update(str(file_sizes(paths)).encode())
        known = f"{self.name}, {len(ids)} images, digest {digest.hexdigest()[:16]}"
        if not truth:
            return known
        files = (path for image_id in ids for path in self._truth.files(image_id, truth))
        return f"{known}, {truth} truth {content_digest(files)}"

    def _own_ids(self) -> list[str]:
        paths = [path for path in map(self._list, ("train", "val")) if path.is_file()]
        ids = [image_id for path in paths for image_id in read_list(path)]
        return list(dict.fromkeys(ids)) or sorted(names_in(self.root / "JPEGImages", ".jpg"))

    def _list(self, split: str) -> Path:
        return self.root / "ImageSets" / "Segmentation" / f"{split}.txt"

    def _annotation(self, image_id: str) -> Path:
        return self.root / "Annotations" / f"{image_id}.xml"

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of a split or of a text file of ids; see voc12.splits."""
        ids = read_split(self.root, name_or_file, sbd_root=self.sbd_root, counts=self._counts)
        return ids[: self.limit]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self.root / "JPEGImages" / f"{image_id}.jpg"

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3)."""
        return read_image(self.image_path(image_id))

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
        return self._truth.present(ids, kinds)

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore.

        It is that of SegmentationClass, else of SegmentationClassAug, else of SBD's `cls`.
        """
        return self._truth.semantic(image_id)

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0.

        An instance is an id of SegmentationObject that is neither 0 nor 255; its class is the most
        frequent in SegmentationClass under it (METHOD.md, section 8). One with no class pixel
        under it is left out with a warning. An image without these has the instances of SBD's
        `inst`.
        """
        return self._truth.instances(image_id)

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


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise FileNotFoundError(f"--data_root {root}: no such folder")
    missing = _missing_folders(root)
    if not missing:
        return
    near = [root.parent, *sorted(root.glob("VOC*")), *sorted(root.glob("VOC*/VOC*"))]
    meant = next((f"; did you mean {path}?" for path in near if not _missing_folders(path)), "")
    raise FileNotFoundError(
        f"--data_root {root}: not a VOC devkit folder, it lacks {', '.join(missing)}{meant}"
    )


def _missing_folders(root: Path) -> list[str]:
    return [name for name in FOLDERS if not (root / name).is_dir()]
