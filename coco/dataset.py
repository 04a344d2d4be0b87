"""The images, labels and measures of COCO 2014 and 2017."""

import hashlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from coco.categories import CLASS_NAMES, CLASS_OF
from coco.index import Index
from coco.lists import SPLITS, Lists, sizes_in
from coco.ready_masks import FLAG, is_raw, read_mask
from misc.files.atomic import names_in
from misc.files.images import read_image
from misc.files.palette import voc_palette
from misc.imutils import IGNORE
from misc.running import dataset
from misc.settings.config import Config

KINDS = ("semantic", "instance")


def from_config(config: Config) -> "Dataset":
    """Open the COCO that --dataset and --data_root name."""
    assert config.data_root is not None  # the settings ask for it
    return Dataset(
        config.data_root,
        year={"coco14": 2014, "coco17": 2017}[config.dataset],
        only_labelled=config.only_labelled,
        crowd_labels=config.coco_crowd_labels,
        truth=config.coco_truth,
        crowd=config.coco_crowd,
        mask_dir=config.coco_mask_dir,
        limit=config.limit,
    )


class Dataset(dataset.Dataset):
    """COCO, or a folder laid out like it: image ids in, images and labels out; picklable.

    Constructing one reads no list, no annotation and no image. An image's id is the stem of its
    file's name in the JSON.

    Args:
        root: the folder with annotations/instances_train2014.json and so on, and the images in
            one of the layouts of `coco.lists`.
        year: 2014 or 2017.
        only_labelled: leave images without an image-level label out of train and val.
        crowd_labels: crowds count in the image-level label, as in the lists that are passed around.
        truth: the semantic truth's rule: `json_order`, a later annotation over an earlier one, or
            `small_first`, the smallest stays on top.
        crowd: what crowds are in the semantic truth where nothing else is: `background`, `ignore`.
        mask_dir: a folder of ready-made semantic masks, in place of the semantic truth above.
        limit: use only this many first images of every list.

    Raises:
        FileNotFoundError: `root`, the annotations in it, or `mask_dir` is missing.
        ModuleNotFoundError: pycocotools is not installed.
    """

    class_names = CLASS_NAMES

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        year: int,
        only_labelled: bool = False,
        crowd_labels: bool = True,
        truth: str = "json_order",
        crowd: str = "background",
        mask_dir: str | os.PathLike[str] | None = None,
        limit: int | None = None,
    ) -> None:
        self.name = f"coco{year % 100}"
        self.limit = limit
        self.palette = voc_palette()
        self._truth, self._crowd = truth, crowd
        self._masks = None if mask_dir is None else Path(mask_dir)
        self._lists = Lists(
            Path(root),
            year=year,
            only_labelled=only_labelled,
            crowd_labels=crowd_labels,
        )
        if self._masks is not None and not self._masks.is_dir():
            raise FileNotFoundError(f"{FLAG} {self._masks}: no such folder")
        if importlib.util.find_spec("pycocotools") is None:
            raise ModuleNotFoundError(f"--dataset {self.name}: pip install pycocotools to have it")

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of train or val, or of a text file of ids; see coco.lists.Lists.split."""
        return self._lists.split(name_or_file)[: self.limit]

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on a split of COCO itself."""
        return self._lists.published(stage, split)

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the identity of the images and their labels; see coco.lists.Lists.identify.

        With `truth` `semantic` it has the rules of that, or a digest of the ready-made masks'
        sizes; instances are the JSON's by any rule.
        """
        known = self._lists.identify(ids)
        if truth != "semantic":
            return known
        if self._masks is None:
            return f"{known}, truth {self._truth}, crowds {self._crowd}"
        paths = [self._mask_path(image_id) for image_id in ids or ()]
        sizes = "\n".join(str(sizes_in(path.parent).get(path.name)) for path in paths)
        return f"{known}, masks {hashlib.sha256(sizes.encode()).hexdigest()[:16]}"

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self._lists.image_path(image_id)

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3); raises as misc.files.images.read_image.

        Raises ValueError, too, where the JSON says another size.
        """
        image = read_image(self.image_path(image_id))
        _, index, row = self._lists.find(image_id)
        if image.shape[:2] != _size(index, row):
            raise ValueError(
                f"{self.image_path(image_id)}: is {image.shape[:2]} pixels, "
                f"{index.path} says {_size(index, row)}"
            )
        return image

    def image_labels(self, ids: Sequence[str]) -> np.ndarray:
        """Return the image-level labels: float32 (N, 80), 1 where an image shows a class, else 0.

        An image without an annotation has none.
        """
        return self._lists.labels(ids).astype(np.float32)

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that are in the JSONs: one may have no class."""
        return self._lists.known(ids)

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have ground truth of these kinds."""
        known = self._lists.known(ids)
        if self._masks is None or "semantic" not in kinds:
            return known
        return [i for i in known if self._mask_path(i).name in names_in(self._mask_path(i).parent)]

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore.

        It is drawn of the annotations by the rule, or read from `mask_dir`. Crowds lie under all
        else; areas are the masks' own pixels.

        Raises:
            FileNotFoundError: the image has no mask in `mask_dir`.
            ValueError: an annotation or a mask is broken.
        """
        if self._masks is not None:
            return read_mask(self._mask_path(image_id), raw=self._masks_are_raw)
        masks, classes, crowd = self._drawn(image_id)
        order = np.arange(len(masks))
        if self._truth == "small_first":
            order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
        label = np.zeros(masks.shape[1:], np.uint8)
        if self._crowd == "ignore":
            label[masks[crowd].any(axis=0)] = IGNORE
        for number in order[~crowd[order]]:
            label[masks[number]] = classes[number] + 1
        return label

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances: masks, bool (N, H, W), and their classes, int64 (N,), from 0.

        Crowds are none; neither is an annotation too small to cover a pixel.

        Raises:
            ValueError: an annotation is broken.
        """
        masks, classes, crowd = self._drawn(image_id)
        kept = ~crowd & masks.any(axis=(1, 2))
        return masks[kept], classes[kept]

    def ignored_regions(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the crowds: masks, bool (M, H, W), and their classes, int64 (M,), from 0."""
        masks, classes, crowd = self._drawn(image_id)
        return masks[crowd], classes[crowd]

    def match_instances(
        self, image_id: str, masks: np.ndarray, classes: np.ndarray, scores: np.ndarray
    ) -> Any:
        """Match an image's detections for COCO's AP; see coco.average_precision.

        Args:
            image_id: the image.
            masks: bool (N, H, W).
            classes: int64 (N,), from 0.
            scores: float32 (N,).
        """
        from coco.average_precision import match
        from coco.shapes import encode, read_shape

        _, index, row = self._lists.find(image_id)
        truths = [
            {
                "category_id": int(CLASS_OF[annotation["category_id"]]) + 1,
                "segmentation": read_shape(annotation, _size(index, row), index.path),
                "area": annotation.get("area", 0),
                "iscrowd": int(bool(annotation.get("iscrowd", 0))),
            }
            for annotation in index.annotations(row)
        ]
        detections = [
            {"category_id": int(class_id) + 1, "segmentation": shape, "score": float(score)}
            for class_id, shape, score in zip(classes, encode(masks), scores, strict=True)
        ]
        return match(int(index.numbers[row]), _size(index, row), truths, detections)

    def instance_measures(self, matches: Sequence[Any]) -> dict[str, float]:
        """Compute COCO's AP, from 0 to 1, of the matches of all images."""
        from coco.average_precision import measures

        return measures(matches)

    def _drawn(self, image_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all annotations in the JSON's order: masks, classes, and which are crowds."""
        from coco.shapes import decode, read_shape

        _, index, row = self._lists.find(image_id)
        size, found = _size(index, row), index.annotations(row)
        annotated = slice(*index.starts[row : row + 2])
        masks = decode([read_shape(a, size, index.path) for a in found], size)
        return masks, index.classes[annotated].astype(np.int64), index.crowd[annotated]

    def _mask_path(self, image_id: str) -> Path:
        """Return the path of a ready-made mask: DIR/ID.png, or DIR/SPLIT/ID.png."""
        assert self._masks is not None
        inside = self._masks / self._lists.folder_of(image_id)
        return (inside if inside.is_dir() else self._masks) / f"{image_id}.png"

    @cached_property
    def _masks_are_raw(self) -> bool:
        ids = (i for name in SPLITS if self._lists.has(name) for i in self._lists.split(name))
        with_mask = (i for i in ids if self._mask_path(i).is_file())
        return is_raw(with_mask, self._mask_path, self._classes)

    def _classes(self, image_id: str) -> np.ndarray:
        _, index, row = self._lists.find(image_id)
        return np.unique(index.classes[slice(*index.starts[row : row + 2])])


def _size(index: Index, row: int) -> tuple[int, int]:
    height, width = index.sizes[row].tolist()
    return height, width
