"""What is predicted for images without labels, on disk: labels, instances, overlays."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import write_bytes
from misc.files.coco import instance_records
from misc.files.images import image_size, read_label
from misc.files.instance_files import load_instances
from misc.files.labels import (
    INSTANCE_FILES,
    SEMANTIC_FILES,
    instance_path,
    semantic_paths,
    write_instances,
    write_semantic_label,
)
from misc.files.outputs import image_files
from misc.imutils import resize
from misc.masks import counted_order, numbered_map
from misc.run.photographs import Photographs
from misc.view.layers import class_layer, instance_layer
from misc.view.panel import panel
from misc.view.pictures import Layer
from misc.view.plots import encode

LABELS = tuple(f"labels/{name}" for name in SEMANTIC_FILES)
INSTANCES = tuple(f"instances/{name}" for name in INSTANCE_FILES)
OVERLAYS = "overlays/{}.jpg"
COCO, PAGE = "instances.json", "index.html"


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The folder of a network's predictions; picklable.

    Attributes:
        folder: where they are.
        images: the images, with class names and colours.
        title: of the network.
        has_instances: whether it predicts instances, or labels alone.
        least: the least score of an instance that is shown, and painted into a label.
    """

    folder: Path
    images: Photographs
    title: str
    has_instances: bool
    least: float = 0.0

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of all that is written; see misc.files.outputs."""
        return (*LABELS, OVERLAYS, PAGE, *((*INSTANCES, COCO) if self.has_instances else ()))

    def outputs(self, image_id: str) -> list[Path]:
        """Return the paths of an image's files."""
        return image_files(self.folder, self.files, image_id)

    def write_label(self, image_id: str, label: np.ndarray) -> None:
        """Write an image's label, uint8 (H, W) of the image as the network took it."""
        image = self.images.whole_image(image_id)
        label = resize(label, image.shape[:2], nearest=True)
        self._write(image_id, image, label, [class_layer(self.title, label, self.images)])

    def write_instances(
        self,
        image_id: str,
        found: Mapping[str, np.ndarray],
        label: np.ndarray | None = None,
    ) -> None:
        """Write an image's instances, and its label, by default of the instances.

        Args:
            image_id: the image.
            found: `score` (N,), `mask` (N, H, W) and `class` (N,), of the image as the network
                took it, as `label`.
            label: uint8 (H, W).
        """
        image = self.images.whole_image(image_id)
        size = image.shape[:2]
        if found["mask"].shape[1:] != size:
            large = np.zeros((len(found["mask"]), *size), bool)
            for place, mask in zip(large, found["mask"], strict=True):
                place[:] = resize(mask.view(np.uint8), size, nearest=True)
            found = {**found, "mask": large}
        if label is None:
            label = painted(found, least=self.least)
        label = resize(label, size, nearest=True)
        names = self.images.class_names
        layers = [instance_layer(self.title, found, names, least=self.least)]
        self._write(image_id, image, label, layers)
        write_instances(self.folder / "instances", image_id, found, least_score=self.least)

    def layers(self, image_id: str) -> list[Layer]:
        """Return what was predicted for an image as overlays."""
        label = read_label(semantic_paths(self.folder / "labels", image_id)[0])
        layers = [class_layer("label", label, self.images)]
        if self.has_instances:
            found = load_instances(instance_path(self.folder / "instances", image_id))
            names = self.images.class_names
            layers.insert(0, instance_layer("instances", found, names, least=self.least))
        return layers

    def records(self, image_id: str) -> tuple[str, tuple[int, int], list[dict[str, Any]]]:
        """Return an image's file name, (H, W) and COCO records, as `coco_dataset` takes them."""
        found = load_instances(instance_path(self.folder / "instances", image_id))
        size = image_size(semantic_paths(self.folder / "labels", image_id)[0])
        return self.images.files[image_id], size, instance_records(found, self.images.category_ids)

    def _write(
        self, image_id: str, image: np.ndarray, label: np.ndarray, layers: list[Layer]
    ) -> None:
        name = self.images.files[image_id]
        titled = [replace(layer, title=f"{name}: {layer.title}") for layer in layers]
        write_bytes(self._overlay(image_id), encode(panel(image, titled), "jpg"))
        write_semantic_label(self.folder / "labels", image_id, label, palette=self.images.palette)

    def _overlay(self, image_id: str) -> Path:
        return self.folder / OVERLAYS.replace("{}", image_id)


def painted(found: Mapping[str, np.ndarray], *, least: float) -> np.ndarray:
    """Return the label, uint8 (H, W), of detections of a score, the better one on top."""
    order = counted_order(found["score"], least=least)
    labels = np.array([0, *(found["class"][order] + 1)], np.uint8)
    return labels[numbered_map(found["mask"], found["score"], least=least)]
