"""The images, labels and measures of COCO 2014 and 2017."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from coco.categories import CATEGORY_IDS, CLASS_NAMES
from coco.instances import LAYOUTS, Image, find_files, read_annotations, read_instances
from coco.semantic import FLAG, have_category_ids, read_mask
from misc.files import dataset
from misc.files.atomic import names_in, write_bytes
from misc.files.coco import draw_label, draw_masks, instance_records
from misc.files.coco_precision import CocoMatches, coco_measures, match_masks
from misc.files.dataset import KINDS
from misc.files.id_lists import list_file, read_list
from misc.files.labels import instance_path, load_instances
from misc.files.palette import voc_palette
from misc.settings.config import Config

_log = logging.getLogger("irnet")
RESULTS = "detections.json"
SPLITS = ("train", "val")
EXPECTED_COUNTS = {"train2014": 82_783, "val2014": 40_504, "train2017": 118_287, "val2017": 5_000}
# Published figures by stage and split; docs/COCO.md has each one's protocol. None is of IRNet's
# authors: those on 2014 are later papers' runs of IRNet, that on 2017 is another method's, without
# proposals or SAM, as none of IRNet is known.
PUBLISHED = {
    ("eval_cam", "train2014"): {"mIoU": 0.331},
    ("eval_sem_seg", "train2014"): {"mIoU": 0.425},
    ("eval_deeplab", "val2014"): {"mIoU": 0.420},
    ("eval_mask_rcnn", "val2017"): {"COCO AP": 0.143, "COCO AP50": 0.280},
}
AN_ID = "an id is the name of an image's file in the JSON without its ending"


def from_config(config: Config) -> "Dataset":
    """Open the COCO that --dataset and --data_root name."""
    return Dataset(
        config.data_root or "",
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
            one of the LAYOUTS.
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
    palette = voc_palette()

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
        self.root, self.year, self.limit = Path(root), year, limit
        names = {f"{name}{year}": f"annotations/instances_{name}{year}.json" for name in SPLITS}
        self._jsons = {split: self.root / name for split, name in names.items()}
        self._only_labelled, self._crowd_labels = only_labelled, crowd_labels
        self._truth, self._crowd = truth, crowd
        self._masks = None if mask_dir is None else Path(mask_dir)
        if not self.root.is_dir():
            raise FileNotFoundError(f"--data_root {root}: no such folder")
        if not any(path.is_file() for path in self._jsons.values()):
            raise FileNotFoundError(
                f"--data_root {root}: has neither annotations/instances_train{year}.json nor that "
                f"of val{year}; those of COCO {year} are read with --dataset coco{year % 100}"
            )
        if self._masks is not None and not self._masks.is_dir():
            raise FileNotFoundError(f"{FLAG} {self._masks}: no such folder")

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of train, val, train2014 and so on, or of a text file of ids."""
        source = os.fspath(name_or_file)
        split = f"{source.removesuffix(str(self.year))}{self.year}"
        if split not in self._jsons:
            ids = read_list(list_file(source, splits=SPLITS))
            if strange := [image_id for image_id in ids if image_id not in self._images]:
                raise ValueError(
                    f"{source}: {len(strange)} of {len(ids)} ids are in no annotations of "
                    f"--data_root {self.root}, the first is {strange[0]!r}; {AN_ID}"
                )
        else:
            path = self._jsons[split]
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such file; it holds the annotations")
            source, every = str(path), not self._only_labelled
            ids = [i for i in self._in_split(split) if every or self.classes(i)]
        if missing := [image_id for image_id in ids if image_id not in self._files]:
            raise FileNotFoundError(
                f"{source}: {len(missing)} of {len(ids)} images are missing, the first is "
                f"{self.image_path(missing[0])}; they are looked for in "
                f"{', '.join(LAYOUTS).format(*['SPLIT'] * 3)} under --data_root"
            )
        return ids[: self.limit]

    def all_ids(self) -> list[str]:
        """Return all images that a JSON has, with a photograph or not."""
        return list(self._images)

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures of a stage's measures on a split of COCO itself."""
        split = f"{split.removesuffix(str(self.year))}{self.year}"
        figures = PUBLISHED.get((stage, split), {})
        return figures if figures and len(self._in_split(split)) == EXPECTED_COUNTS[split] else {}

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the identity of images; see misc.files.dataset."""
        rules = f", truth {self._truth}, crowds {self._crowd}"
        drawn = truth == "semantic" and self._masks is None
        return super().identify(ids, truth=truth) + rules * drawn

    def truth_files(self, image_id: str, kind: str) -> Sequence[Path]:
        """Return the JSON that an image's ground truth is drawn from, or its ready-made mask."""
        if kind == "semantic" and self._masks is not None:
            return [self._mask_path(image_id)]
        return [self._jsons[self._find(image_id).split]]

    def category_ids(self) -> list[int]:
        """Return COCO's own ids of the categories, which annotations keep."""
        return CATEGORY_IDS.tolist()

    def image_numbers(self, ids: Sequence[str]) -> list[int]:
        """Return COCO's own ids of images, which annotations keep."""
        return [self._find(image_id).number for image_id in ids]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image, in the first layout that has it.

        Its name is the one in the JSON, with or without COCO_SPLIT_ before it.
        """
        image = self._find(image_id)
        usual = f"{image.split}/{os.path.basename(image.file_name)}"
        return self.root / self._files.get(image_id, usual)

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3); ValueError where the JSON says another size."""
        image, listed = super().image(image_id), self._find(image_id)
        if image.shape[:2] != listed.size:
            raise ValueError(
                f"{self.image_path(image_id)}: is {image.shape[:2]} pixels, "
                f"{self._jsons[listed.split]} says {listed.size}"
            )
        return image

    def classes(self, image_id: str) -> list[int]:
        """Return the classes of the image-level label, from 0."""
        return self._find(image_id).classes(crowds=self._crowd_labels)

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have ground truth of these kinds."""
        if self._masks is None or "semantic" not in kinds:
            return list(ids)
        paths = map(self._mask_path, ids)
        return [i for i, path in zip(ids, paths, strict=True) if path.name in names_in(path.parent)]

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 ignore."""
        if self._masks is not None:
            return read_mask(self._mask_path(image_id), category_ids=self._masks_have_category_ids)
        small_first, ignore = self._truth == "small_first", self._crowd == "ignore"
        return draw_label(*self._drawn(image_id), small_first=small_first, ignore_crowds=ignore)

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
        image = self._find(image_id)
        annotations = read_annotations(self._jsons[image.split], image)
        true_masks, true_classes, crowd = self._drawn(image_id)
        return match_masks(
            {"mask": masks, "class": classes, "score": scores},
            true_masks,
            true_classes,
            crowd=crowd,
            areas=np.array([a.get("area", 0) for a in annotations], np.float64),
            number=image.number,
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

    @cached_property
    def _images(self) -> dict[str, Image]:
        there = {split: path for split, path in self._jsons.items() if path.is_file()}
        images = read_instances(there)
        for split, path in there.items():
            found = [image for image in images.values() if image.split == split]
            without = sum(not image.classes(crowds=self._crowd_labels) for image in found)
            left_out = ", which are left out" if self._only_labelled else ""
            words = "%s: %d images, %d of them without a class%s"
            _log.info(words, split, len(found), without, left_out)
            if len(found) != (expected := EXPECTED_COUNTS[split]):
                words = "%s: has %d images, COCO %d's has %d"
                _log.warning(words, path, len(found), self.year, expected)
        return images

    @cached_property
    def _files(self) -> dict[str, str]:
        return find_files(self.root, self._images)

    @cached_property
    def _masks_have_category_ids(self) -> bool:
        ids = self.with_truth(self.all_ids(), kinds=["semantic"])
        classes = (self._find(image_id).annotations[:, 2] for image_id in ids)
        return have_category_ids(zip(map(self._mask_path, ids), classes, strict=True))

    def _in_split(self, split: str) -> list[str]:
        return [image_id for image_id, image in self._images.items() if image.split == split]

    def _find(self, image_id: str) -> Image:
        if (image := self._images.get(image_id)) is None:
            raise ValueError(
                f"image {image_id!r} is not in the annotations of --data_root {self.root}; {AN_ID}"
            )
        return image

    def _mask_path(self, image_id: str) -> Path:
        """Return the path of a ready-made mask: DIR/ID.png, or DIR/SPLIT/ID.png."""
        assert self._masks is not None
        inside = self._masks / self._find(image_id).split
        return (inside if inside.is_dir() else self._masks) / f"{image_id}.png"

    def _drawn(self, image_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all annotations in the JSON's order: masks, classes, and which are crowds."""
        image = self._find(image_id)
        path = self._jsons[image.split]
        masks = draw_masks(read_annotations(path, image), image.size, path)
        return masks, image.annotations[:, 2], image.annotations[:, 3].astype(bool)
