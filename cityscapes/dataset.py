"""The images and labels of a Cityscapes folder."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cityscapes import truth
from cityscapes.export import PACKED, pack
from cityscapes.layout import EXPECTED_COUNTS, IMAGE, TRUTH, Layout
from cityscapes.names import EVALUATED_IDS, label_ids, names_of, palette_of
from cityscapes.precision import OVERLAPS, ImageOverlaps, average_precision, overlaps_of
from misc.files import dataset
from misc.files.dataset import KINDS
from misc.files.digests import content_digest, file_sizes
from misc.files.images import read_image
from misc.files.labels import LEAST_SCORE
from misc.metrics import mean_average_precision
from misc.settings.config import Config

_log = logging.getLogger("irnet")
# An aggregator attributes it to IRNet; network, classes and protocol are not known.
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {("eval_deeplab", "val"): {"mIoU": 0.3348}}


class Dataset(dataset.Dataset):
    """Cityscapes' finely annotated images.

    Args:
        root: the folder with leftImg8bit and gtFine.
        num_classes: the 8 classes with instances, everything else is background; or all 19,
            which leave no background.
        limit: use only this many first images of every list.
    """

    name = "cityscapes"
    packed_instances = PACKED

    def __init__(
        self, root: str | os.PathLike[str], *, num_classes: int = 8, limit: int | None = None
    ) -> None:
        self.limit = limit
        self.label_ids = label_ids(num_classes)
        self.class_names = names_of(self.label_ids)
        self.palette = palette_of(self.label_ids)
        self._layout = Layout(Path(root))
        self._classes: dict[str, list[int]] = {}  # of the images whose truth has been read

    def published(self, stage: str, split: str) -> Mapping[str, float]:
        """Return the published figures for a stage's measures on a split."""
        figures = PUBLISHED.get((stage, split), {})
        return figures if figures and len(self.split(split)) == EXPECTED_COUNTS[split] else {}

    def identify(self, ids: Sequence[str] | None = None, *, truth: str = "") -> str:
        """Return the name, classes, number of images, and digests of ids, file sizes and truth."""
        if ids is None:
            ids = [i for i, place in self._layout.places.items() if not place.startswith("test/")]
        sizes = file_sizes(self._layout.path(TRUTH["semantic"], image_id) for image_id in ids)
        labels = hashlib.sha256(str(sizes).encode()).hexdigest()[:16]
        known = f"{super().identify(ids)}, {len(self.class_names)} classes, labels {labels}"
        if not truth:
            return known
        files = (self._layout.path(TRUTH[truth], image_id) for image_id in ids)
        return f"{known}, {truth} truth {content_digest(files)}"

    def split(self, name_or_file: str | os.PathLike[str]) -> list[str]:
        """Return the ids of a split or of a text file of ids."""
        return self._layout.split(name_or_file)[: self.limit]

    def image_path(self, image_id: str) -> Path:
        """Return the path of an image's file."""
        return self._layout.path(IMAGE, image_id)

    def image(self, image_id: str) -> np.ndarray:
        """Read an image: uint8 RGB (H, W, 3)."""
        return read_image(self.image_path(image_id))

    def classes(self, image_id: str) -> list[int]:
        """Return the classes that occur in labelIds."""
        if image_id not in self._classes:
            found = truth.occurring(self._read("semantic", image_id))
            self._classes[image_id] = np.flatnonzero(np.isin(self.label_ids, found)).tolist()
        return self._classes[image_id]

    def with_labels(self, ids: Sequence[str]) -> list[str]:
        """Return those of the ids, in their order, that have an image-level label."""
        return self.with_truth(ids, kinds=("semantic",))

    def with_truth(self, ids: Sequence[str], *, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return those of the ids, in their order, that have ground truth of these kinds."""
        return [i for i in ids if all(self._layout.has_truth(i, kind) for kind in kinds)]

    def semantic_label(self, image_id: str) -> np.ndarray:
        """Read a semantic label: uint8 (H, W), 0 background, class id + 1, 255 void."""
        return truth.semantic_label(self._read("semantic", image_id), self.label_ids)

    def instance_label(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the instances, no groups: bool (N, H, W), and their classes, int64 (N,), from 0."""
        return truth.instances(self._read("instance", image_id), self.label_ids)

    def ignored_regions(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the groups: masks, bool (M, H, W), and their classes, int64 (M,), from 0."""
        return truth.groups(self._read("instance", image_id), self.label_ids)

    def _read(self, kind: str, image_id: str) -> np.ndarray:
        path = self._layout.path(TRUTH[kind], image_id)
        return truth.read_ids(path, self.image_path(image_id))

    def match_instances(
        self, image_id: str, masks: np.ndarray, classes: np.ndarray, scores: np.ndarray
    ) -> ImageOverlaps:
        """Count how an image's detections overlap its truth, for `instance_measures`.

        Fragments, which the export leaves out, do not count: the server finds the same.
        """
        numbers = self._read("instance", image_id)
        kept = np.asarray(scores) >= LEAST_SCORE
        ids = self.label_ids[np.asarray(classes, np.int64)[kept]]
        return overlaps_of(numbers, masks[kept], ids, scores[kept])

    def instance_measures(self, matches: Sequence[ImageOverlaps]) -> dict[str, float]:
        """Compute Cityscapes' average precision: the mean over overlaps, and that at 0.5.

        Both are left out where no image has an instance that counts.
        """
        means = mean_average_precision(average_precision(matches))
        if np.isnan(means).all():
            _log.info("Cityscapes AP is left out: no image has an instance of 100 pixels or more")
            return {}
        at_half = means[np.flatnonzero(np.isclose(OVERLAPS, 0.5))[0]]
        return {"Cityscapes AP": float(means.mean()), "Cityscapes AP50": float(at_half)}

    def pack_instances(self, folder: Path, ids: Sequence[str]) -> Path:
        """Write the detections of images in the server's text format."""
        return pack(folder, ids, self.label_ids)


def from_config(config: Config) -> Dataset:
    """Open Cityscapes in --data_root, with the classes of --cityscapes_classes."""
    if config.cityscapes_classes == len(EVALUATED_IDS):
        _log.warning(
            "--cityscapes_classes 19: there is no background, on which IRNet's pairs and the "
            "thresholds stand, and image-level labels say little: 11.7 of 19 classes an image, "
            "road and building in 98 to 99 %; the 8 classes with instances are the default"
        )
    return Dataset(
        config.data_root or "", num_classes=config.cityscapes_classes, limit=config.limit
    )
