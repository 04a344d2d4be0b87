"""The training labels of Mask R-CNN and DeepLab: ours, from CAMs alone, or ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.argmax import label_map
from misc.files.cam_files import CamFolder
from misc.files.coco import Described, coco_dataset, instance_records
from misc.files.dataset import Dataset
from misc.files.digests import fingerprint
from misc.files.labels import (
    LEAST_SCORE,
    instance_path,
    read_instance_labels,
    read_semantic_label,
)
from misc.instances import component_detections
from misc.run.cam_forms import cam_folder
from misc.run.log import logger
from misc.run.workers import collect_images
from misc.settings.config import Config
from misc.train.weights import read_state_dict

# The labels that a network is trained on.
KINDS = {"mask_rcnn": "instance", "deeplab": "semantic"}
CAM_SHAPED = ("cam_out_dir", "cam_eval_thres")


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """The source of an image's labels; picklable.

    Attributes:
        name: `irn`, the labels of IRNet; `cam`, the CAMs' own connected components and label maps,
            the lower bound; `full`, ground truth, the upper bound.
        dataset: the images' data set.
        ins_seg_dir: folder of instance labels.
        sem_seg_dir: folder of semantic labels.
        cams: folder of CAMs.
        cam_threshold: background score of the CAMs.
    """

    name: str
    dataset: Dataset
    ins_seg_dir: str
    sem_seg_dir: str
    cams: CamFolder
    cam_threshold: float

    def instances(self, image_id: str) -> dict[str, np.ndarray]:
        """Return an image's instances: `score` float32, `mask` bool (N, H, W), `class` int64.

        Raises:
            FileNotFoundError: there are none; names the stage that makes them.
            ValueError: a class is not one of the data set's.
        """
        if self.name == "full":
            masks, classes = self.dataset.instance_label(image_id)
            return {"score": np.ones(len(masks), np.float32), "mask": masks, "class": classes}
        if self.name == "cam":
            return component_detections(*self._cams(image_id))
        found = read_instance_labels(self.ins_seg_dir, image_id)
        count = len(self.dataset.class_names)
        strange = found["class"][(found["class"] < 0) | (found["class"] >= count)]
        if strange.size:
            path = instance_path(self.ins_seg_dir, image_id)
            raise ValueError(
                f"{path}: has the class {strange[0]}, accepted are 0 to {count - 1}; make it again "
                "with --make_ins_seg_pass True"
            )
        return found

    def whole_instances(self, image_id: str) -> dict[str, np.ndarray]:
        """Return an image's instances without the fragments; see `instances`."""
        found = self.instances(image_id)
        whole = found["score"] >= LEAST_SCORE
        return {name: values[whole] for name, values in found.items()}

    def semantic(self, image_id: str) -> np.ndarray:
        """Return an image's semantic label, uint8 (H, W): 0, class + 1, 255 ignored.

        Raises:
            FileNotFoundError: there is none; names the stage that makes it.
        """
        if self.name == "full":
            return self.dataset.semantic_label(image_id)
        if self.name == "cam":
            return label_map(*self._cams(image_id))
        return read_semantic_label(self.sem_seg_dir, image_id)

    def _cams(self, image_id: str) -> tuple[np.ndarray, np.ndarray, float]:
        """Return an image's maps (K, H, W), their classes, and the background's score."""
        size = self.dataset.image(image_id).shape[:2]
        cams = self.cams.read(image_id, (size[0], size[1]))
        return cams.high_res, cams.keys, self.cam_threshold

    def labelled(self, ids: Sequence[str], kind: str) -> list[str]:
        """Return the images that have labels to train on: for `full` those with ground truth.

        Args:
            ids: the images.
            kind: of labels, `semantic` or `instance`.
        """
        if self.name != "full":
            return list(ids)
        found = self.dataset.with_truth(ids, kinds=(kind,))
        if len(found) < len(ids):
            words = (
                "--supervision full: %d of %d images have ground truth (%s labels), taking those"
            )
            logger.info(words, len(found), len(ids), kind)
        return found


def supervisions(config: Config, dataset: Dataset) -> list[Supervision]:
    """Return the supervisions that --supervision asks for."""
    return [supervision_of(config, dataset, name) for name in config.supervision]


def supervision_of(config: Config, dataset: Dataset, name: str) -> Supervision:
    """Return one supervision, with the folders of the config."""
    return Supervision(
        name=name,
        dataset=dataset,
        ins_seg_dir=config.ins_seg_out_dir,
        sem_seg_dir=config.sem_seg_out_dir,
        cams=cam_folder(config, dataset),
        cam_threshold=config.cam_eval_thres,
    )


def supervised_by(name: str, kind: str) -> tuple[str, ...]:
    """Return the settings that shape a supervision's labels of a kind."""
    ours = {"instance": ("ins_seg_out_dir",), "semantic": ("sem_seg_out_dir",)}[kind]
    return {"irn": ours, "cam": CAM_SHAPED, "full": ()}[name]


def trained_with(weights: Path, flag: str) -> dict[str, str]:
    """Return which weights shaped an output folder; `read_trained` reports missing ones."""
    return {flag: f"a file of SHA-256 {fingerprint(weights)}"}


def read_trained(weights: Path, network: str) -> dict[str, torch.Tensor]:
    """Read a network's weights; FileNotFoundError names the stage that makes them."""
    if not weights.is_file():
        raise FileNotFoundError(
            f"--{network}_weights_name {weights}: no such file; the stage train_{network} makes "
            f"it: --train_{network}_pass True, with the same --supervision"
        )
    return read_state_dict(weights)


def note_split(config: Config, network: str) -> None:
    """Log which images are trained on, where they are not those of the published tables."""
    if config.infer_list != config.train_list:
        logger.info(
            "%s is trained on --infer_list %s; published tables are of networks trained on all "
            "of --train_list, here %s",
            {"mask_rcnn": "Mask R-CNN", "deeplab": "DeepLab"}[network],
            config.infer_list,
            config.train_list,
        )


def images_to_learn_from(
    config: Config, supervision: Supervision, ids: list[str], *, kind: str
) -> list[str]:
    """Return the images; of labels of instances without those that have none, and log their number.

    Raises:
        ValueError: no image has one.
    """
    if kind != "instance":
        return ids
    counts = collect_images(
        ids,
        partial(_count_instances, supervision),
        num_workers=config.num_workers,
        description="count instances",
    )
    kept = [image_id for image_id, count in zip(ids, counts, strict=True) if count]
    if not kept:
        raise ValueError(
            f"--supervision {supervision.name}: none of the {len(ids)} images has an instance to "
            "train on; make labels with another --ins_seg_bg_thres, or evaluate the CAMs with "
            "--eval_cam_pass True"
        )
    if len(kept) < len(ids):
        logger.info(
            "%d of %d images have no instance and are left out", len(ids) - len(kept), len(ids)
        )
    return kept


def _count_instances(supervision: Supervision, image_id: str) -> int:
    return len(supervision.whole_instances(image_id)["score"])


def annotations(
    supervision: Supervision, ids: Sequence[str], *, num_workers: int
) -> dict[str, Any]:
    """Collect the COCO annotations of images; see `misc.files.coco.coco_dataset`."""
    described = collect_images(
        ids,
        partial(describe_image, supervision),
        num_workers=num_workers,
        description="make_cocoann",
    )
    dataset = supervision.dataset
    images = [
        Described(number, dataset.file_name(image_id), *found)
        for number, image_id, found in zip(dataset.image_numbers(ids), ids, described, strict=True)
    ]
    categories = dict(zip(dataset.category_ids(), dataset.class_names, strict=True))
    title = {"irn": "IRNet's pseudo labels", "cam": "components of CAMs", "full": "ground truth"}
    return coco_dataset(
        images, categories, description=f"{title[supervision.name]}, {dataset.name}"
    )


def describe_image(
    supervision: Supervision, image_id: str
) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    """Return an image's (H, W) and the COCO records of its instances, fragments left out."""
    found = supervision.whole_instances(image_id)
    return found["mask"].shape[1:], instance_records(found, supervision.dataset.category_ids())
