"""The labels that Mask R-CNN and DeepLab learn from: ours, the CAMs' alone, or ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from misc.argmax import label_map
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.files.labels import (
    LEAST_SCORE,
    instance_path,
    read_instance_labels,
    read_semantic_label,
)
from misc.instances import component_detections
from misc.run.log import logger
from misc.run.stage import StageFiles
from misc.run.workers import run_images
from misc.settings.config import Config

VALIDATED_IMAGES = 200  # in training: enough for a curve; the evaluations measure on all


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """The source of images' labels; picklable.

    Attributes:
        name: `irn`, the labels of IRNet; `cam`, the CAMs' own connected components and label maps,
            the lower bound; `full`, ground truth, the upper bound.
        kind: of the labels, `instance` or `semantic`.
        dataset: the images' data set.
        folder: of the labels of IRNet.
        cams: the folder of the CAMs.
        cam_threshold: the background's score beside the CAMs.
    """

    name: str
    kind: str
    dataset: Dataset
    folder: str
    cams: CamFolder
    cam_threshold: float

    def settings(self) -> list[str]:
        """Return the settings that shape the labels."""
        if self.name == "cam":
            return ["cam_out_dir", "cam_eval_thres"]
        ours = {"instance": "ins_seg_out_dir", "semantic": "sem_seg_out_dir"}[self.kind]
        return [ours] if self.name == "irn" else []

    def labelled(self, ids: Sequence[str]) -> list[str]:
        """Return the images that have labels: for `full` those with ground truth."""
        if self.name != "full":
            return list(ids)
        found = self.dataset.with_truth(ids, kinds=(self.kind,))
        if len(found) < len(ids):
            words = "--supervision full: %d of %d images have ground truth (%s labels), using those"
            logger.info(words, len(found), len(ids), self.kind)
        return found

    def semantic(self, image_id: str) -> np.ndarray:
        """Return an image's semantic label, uint8 (H, W): 0, class + 1, 255 ignored."""
        if self.name == "full":
            return self.dataset.semantic_label(image_id)
        if self.name == "cam":
            return label_map(*self._cams(image_id))
        return read_semantic_label(self.folder, image_id)

    def instances(self, image_id: str) -> dict[str, np.ndarray]:
        """Return an image's instances without the fragments.

        They are `score` float32 (N,), `mask` bool (N, H, W) and `class` int64 (N,) from 0.
        """
        if self.name == "full":
            masks, classes = self.dataset.instance_label(image_id)
            return {"score": np.ones(len(masks), np.float32), "mask": masks, "class": classes}
        if self.name == "cam":
            found = component_detections(*self._cams(image_id))
        else:
            found = read_instance_labels(self.folder, image_id)
            self._check_classes(image_id, found["class"])
        whole = found["score"] >= LEAST_SCORE
        return {name: values[whole] for name, values in found.items()}

    def with_instances(self, ids: Sequence[str], *, num_workers: int) -> list[str]:
        """Return the images whose labels have an instance to train on; log the others' number.

        Raises:
            ValueError: no image has one.
        """
        counts = run_images(
            ids,
            partial(_count_instances, self),
            num_workers=num_workers,
            description="count instances",
        )
        kept = [image_id for image_id, count in zip(ids, counts, strict=True) if count]
        if not kept:
            raise ValueError(
                f"--supervision {self.name}: none of the {len(ids)} images has an instance to "
                "train on; make labels with another --ins_seg_bg_thres, or evaluate the CAMs with "
                "--eval_cam_pass True"
            )
        if len(kept) < len(ids):
            words = "%d of %d images have no instance and are left out"
            logger.info(words, len(ids) - len(kept), len(ids))
        return kept

    def _check_classes(self, image_id: str, classes: np.ndarray) -> None:
        count = len(self.dataset.class_names)
        strange = classes[(classes < 0) | (classes >= count)]
        if strange.size:
            raise ValueError(
                f"{instance_path(self.folder, image_id)}: has the class "
                f"{strange[0]}, accepted are 0 to {count - 1}; make it again with "
                "--make_ins_seg_pass True"
            )

    def _cams(self, image_id: str) -> tuple[np.ndarray, np.ndarray, float]:
        """Return an image's maps (K, H, W), their classes, and the background's score."""
        size = self.dataset.image(image_id).shape[:2]
        cams = self.cams.read(image_id, (size[0], size[1]))
        return cams.high_res, cams.keys, self.cam_threshold


def _count_instances(labels: Supervision, image_id: str) -> int:
    return len(labels.instances(image_id)["score"])


def supervision_from(config: Config, dataset: Dataset, name: str, kind: str) -> Supervision:
    """Return the labels of a name and kind, see `Supervision`, in the folders of the settings."""
    return Supervision(
        name=name,
        kind=kind,
        dataset=dataset,
        folder=config.ins_seg_out_dir if kind == "instance" else config.sem_seg_out_dir,
        cams=CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names)),
        cam_threshold=config.cam_eval_thres,
    )


def validation_images(config: Config, dataset: Dataset, *, stage: str) -> list[str]:
    """Return the images of val_list that validate a training: enough with ground truth."""
    return StageFiles(stage, config, dataset).measured_images()[:VALIDATED_IMAGES]
