"""The labels that Mask R-CNN and DeepLab learn from: ours, the CAMs' alone, or ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from misc.argmax import label_map
from misc.files.dataset import Dataset
from misc.files.labels import (
    LEAST_SCORE,
    instance_path,
    read_instance_labels,
    read_semantic_label,
)
from misc.instances import component_detections
from misc.run.log import logger
from misc.run.open_dataset import cam_folder
from misc.settings.config import Config

VALIDATED_IMAGES = 200  # in training: enough for a curve; the evaluations measure on all


@dataclass(frozen=True)
class Supervision:
    """The source of images' labels; picklable.

    Attributes:
        name: `irn`, the labels of IRNet; `cam`, the CAMs' own connected components and label maps,
            the lower bound; `full`, ground truth, the upper bound.
        kind: of the labels, `instance` or `semantic`.
        config: names the folders of labels and CAMs.
        dataset: the images' data set.
    """

    name: str
    kind: str
    config: Config
    dataset: Dataset

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
        return read_semantic_label(self.config.sem_seg_out_dir, image_id)

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
            found = read_instance_labels(self.config.ins_seg_out_dir, image_id)
            self._check_classes(image_id, found["class"])
        whole = found["score"] >= LEAST_SCORE
        return {name: values[whole] for name, values in found.items()}

    def _check_classes(self, image_id: str, classes: np.ndarray) -> None:
        count = len(self.dataset.class_names)
        strange = classes[(classes < 0) | (classes >= count)]
        if strange.size:
            raise ValueError(
                f"{instance_path(self.config.ins_seg_out_dir, image_id)}: has the class "
                f"{strange[0]}, accepted are 0 to {count - 1}; make it again with "
                "--make_ins_seg_pass True"
            )

    def _cams(self, image_id: str) -> tuple[np.ndarray, np.ndarray, float]:
        """Return an image's maps (K, H, W), their classes, and the background's score."""
        size = self.dataset.image(image_id).shape[:2]
        cams = cam_folder(self.config, self.dataset).read(image_id, (size[0], size[1]))
        return cams.high_res, cams.keys, self.config.cam_eval_thres
