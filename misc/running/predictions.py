"""What is predicted for images without labels, on disk: labels, instances, overlays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import write_json
from misc.files.coco import instance_records
from misc.files.images import image_size, read_label, write_photograph
from misc.files.instance_files import load_instances
from misc.files.labels import (
    instance_path,
    instance_paths,
    semantic_paths,
    write_instances,
    write_semantic_label,
)
from misc.files.palette import LEGEND
from misc.imutils import resize
from misc.looking.layers import Layer, class_layer, instance_layer
from misc.looking.panel import overlay_panel
from misc.masks import counted_order, numbered_map
from misc.running.photographs import Photographs
from misc.running.provenance import remove_outputs

LABELS = ("labels/{}.png", "labels/palette/{}.png")
INSTANCES = ("instances/{}.npz", "instances/palette/{}.png")
OVERLAYS = "overlays/{}.jpg"
IMAGES, COCO, PAGE = "images.json", "instances.json", "index.html"


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
        """Return the names of all that is written; {} is an image's id."""
        names = (*LABELS, OVERLAYS, IMAGES, PAGE, f"labels/{LEGEND}")
        if not self.has_instances:
            return names
        return (*names, *INSTANCES, COCO, f"instances/{LEGEND}")

    def outputs(self, image_id: str) -> list[Path]:
        """Return the paths of an image's files."""
        paths = [*semantic_paths(self.folder / "labels", image_id), self._overlay(image_id)]
        if self.has_instances:
            paths += instance_paths(self.folder / "instances", image_id)
        return paths

    def note_images(self, ids: Sequence[str], *, overwrite: bool) -> None:
        """Note of which images the predictions are: each one's file name and bytes, by id.

        Raises:
            ValueError: there are predictions of another image of the same id, not to be replaced.
        """
        path = self.folder / IMAGES
        known, now = _known_images(path), {i: self.images.identity(i) for i in ids}
        changed = [i for i in ids if known.get(i, now[i]) != now[i] and self._has_some(i)]
        if changed and not overwrite:
            raise ValueError(
                f"{self.folder}: holds predictions of another {now[changed[0]][0]} "
                f"({len(changed)} such images); pass --overwrite True to replace them, or another "
                "--predict_dir"
            )
        remove_outputs(self.folder, [name for name in self.files if "{}" in name], changed)
        write_json(path, {**known, **now})

    def _has_some(self, image_id: str) -> bool:
        # A file that could not be read has none, and may be repaired.
        return any(path.exists() for path in self.outputs(image_id))

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
        page = overlay_panel(self.images.files[image_id], image, layers)
        write_photograph(self._overlay(image_id), page)
        write_semantic_label(self.folder / "labels", image_id, label, palette=self.images.palette)

    def _overlay(self, image_id: str) -> Path:
        return self.folder / OVERLAYS.replace("{}", image_id)


def _known_images(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable ({error}); name another --predict_dir") from error
    return content if isinstance(content, dict) else {}


def painted(found: Mapping[str, np.ndarray], *, least: float) -> np.ndarray:
    """Return the label, uint8 (H, W), of detections of a score, the better one on top."""
    order = counted_order(found["score"], least=least)
    labels = np.array([0, *(found["class"][order] + 1)], np.uint8)
    return labels[numbered_map(found["mask"], found["score"], least=least)]
