"""The images, labels and measures of COCO 2014 and 2017."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from coco.categories import CATEGORY_IDS, CLASS_NAMES
from coco.lists import Lists
from coco.ready_masks import FLAG, is_raw, read_mask
from coco.shapes import draw_masks
from misc.files import dataset
from misc.files.atomic import names_in, write_bytes
from misc.files.coco import instance_records
from misc.files.coco_precision import CocoMatches, coco_measures, match_masks
from misc.files.dataset import KINDS
from misc.files.digests import content_digest
from misc.files.images import read_image
from misc.files.instance_files import load_instances
from misc.files.labels import instance_path
from misc.files.palette import voc_palette
from misc.imutils import IGNORE
from misc.settings.config import Config

RESULTS = "detections.json"
# Published figures by year, stage and split; docs/COCO.md has each one's protocol. None is of
# IRNet's authors: those on 2014 are later papers' runs of IRNet, that on 2017 is another method's,
# without proposals or SAM, as none of IRNet is known.
PUBLISHED = {
    (2014, "eval_cam", "train"): {"mIoU": 0.331},
    (2014, "eval_sem_seg", "train"): {"mIoU": 0.425},
    (2014, "eval_deeplab", "val"): {"mIoU": 0.420},
    (2017, "eval_mask_rcnn", "val"): {"COCO AP": 0.143, "COCO AP50": 0.280},
}


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
    """COCO, or a folder laid out like it; an id is the stem of an image's file name in the JSON.

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
    """

    packed_instances = (RESULTS,)
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
            Path(root), year=year, only_labelled=only_labelled, crowd_labels=crowd_labels
        )
        if self._masks is not None and not self._masks.is_dir():
            raise FileNotFoundError(f"{FLAG} {self._masks}: no such folder")

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of train or val, or of a text file of ids; see coco.lists.Lists.split."""
        return self._lists.split(name_or_file)[: self.limit]

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on a split of COCO itself."""
        name = split.removesuffix(str(self._lists.year))
        figures = PUBLISHED.get((self._lists.year, stage, name), {})
        return figures if figures and self._lists.is_whole(name) else {}

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the name, the number of images, and a digest of what counts of them.

        It covers each image's id, its place in the list, the size of its file, and its image-level
        label. With `truth` it has a digest of the JSONs, and of the semantic truth the rules, or a
        digest of the ready-made masks in their place.
        """
        ids = self._lists.all_ids() if ids is None else ids
        bits = np.packbits(self.image_labels(ids).astype(bool))
        labels = hashlib.sha256(bits.tobytes()).hexdigest()[:16]
        known = f"{super().identify(ids)}, labels {labels}"
        if not truth:
            return known
        if truth == "semantic" and self._masks is not None:
            return f"{known}, masks {content_digest(map(self._mask_path, ids))}"
        jsons = {self._lists.find(image_id).json.path for image_id in ids}
        known = f"{known}, annotations {content_digest(sorted(jsons))}"
        rules = f", truth {self._truth}, crowds {self._crowd}"
        return known + (rules if truth == "semantic" else "")

    def category_ids(self) -> list[int]:
        """Return COCO's own ids of the categories, which annotations keep."""
        return CATEGORY_IDS.tolist()

    def image_numbers(self, ids: Sequence[str]) -> list[int]:
        """Return COCO's own ids of images, which annotations keep."""
        return [int(index.numbers[row]) for _, index, row in map(self._lists.find, ids)]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self._lists.image_path(image_id)

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3); ValueError where the JSON says another size."""
        image = read_image(self.image_path(image_id))
        _, index, row = self._lists.find(image_id)
        if image.shape[:2] != (size := index.size(row)):
            raise ValueError(
                f"{self.image_path(image_id)}: is {image.shape[:2]} pixels, {index.path} says "
                f"{size}"
            )
        return image

    def classes(self, image_id: str) -> list[int]:
        """Return the classes of the image-level label, from 0."""
        _, index, row = self._lists.find(image_id)
        return np.flatnonzero(index.labels[row]).tolist()

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that are in the JSONs: one may have no class."""
        return self._lists.known(ids)

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have ground truth of these kinds."""
        known = self._lists.known(ids)
        if self._masks is None or "semantic" not in kinds:
            return known
        return [i for i, path in zip(known, map(self._mask_path, known), strict=True) if _is(path)]

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore.

        It is drawn of the annotations by the rule, or read from `mask_dir`. Crowds lie under all
        else; areas are the masks' own pixels.
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
    ) -> CocoMatches:
        """Match an image's detections for COCO's AP; see misc.files.dataset."""
        _, index, row = self._lists.find(image_id)
        return match_masks(
            {"mask": masks, "class": classes, "score": scores},
            *self._drawn(image_id)[:2],
            crowd=index.crowd[index.annotated(row)],
            areas=np.array([a.get("area", 0) for a in index.annotations(row)], np.float64),
            number=int(index.numbers[row]),
        )

    def instance_measures(self, matches: Sequence[CocoMatches]) -> dict[str, float]:
        """Compute COCO's AP, from 0 to 1, of the matches of all images."""
        return coco_measures(matches)

    def pack_instances(self, folder: Path, ids: Sequence[str]) -> Path:
        """Write the detections of images, with COCO's ids, to one JSON, as COCO's server takes."""
        detections = []
        for image_id, number in zip(ids, self.image_numbers(ids), strict=True):
            found = load_instances(instance_path(folder, image_id))
            for record in instance_records(found, self.category_ids()):
                # With a box, an area would be the box's.
                kept = {name: record[name] for name in ("category_id", "segmentation", "score")}
                detections.append({"image_id": number, **kept})
        path = folder / RESULTS
        write_bytes(path, json.dumps(detections).encode())
        return path

    def _drawn(self, image_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all annotations in the JSON's order: masks, classes, and which are crowds."""
        _, index, row = self._lists.find(image_id)
        masks = draw_masks(index.annotations(row), index.size(row), index.path)
        places = index.annotated(row)
        return masks, index.classes[places].astype(np.int64), index.crowd[places]

    def _mask_path(self, image_id: str) -> Path:
        """Return the path of a ready-made mask: DIR/ID.png, or DIR/SPLIT/ID.png."""
        assert self._masks is not None
        inside = self._masks / f"{self._lists.find(image_id).split}{self._lists.year}"
        return (inside if inside.is_dir() else self._masks) / f"{image_id}.png"

    @cached_property
    def _masks_are_raw(self) -> bool:
        with_mask = (i for i in self._lists.all_ids() if _is(self._mask_path(i)))
        return is_raw(with_mask, self._mask_path, self._annotated_classes)

    def _annotated_classes(self, image_id: str) -> np.ndarray:
        _, index, row = self._lists.find(image_id)
        return np.unique(index.classes[index.annotated(row)])


def _is(path: Path) -> bool:
    return path.name in names_in(path.parent)
