"""Training samples: an image, augmented, with its labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from misc.imutils import IGNORE, Window, planes, random_window, rescale, resize
from misc.masks import bounding_boxes

ReadImage = Callable[[str], np.ndarray]

SCALES = (0.5, 1.5)  # of images with label maps


@dataclass(frozen=True, kw_only=True)
class ImageSamples:
    """The training set of images; a subclass has the labels.

    `read_image` returns an image, uint8 (H, W, 3).
    """

    ids: Sequence[str]
    read_image: ReadImage

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.ids)

    def sample(self, index: int, rng: np.random.Generator) -> Any:
        """Return the augmented sample of an image; it depends on nothing else."""
        raise NotImplementedError

    def collate(self, samples: list[Any]) -> Any:
        """Make a batch of samples."""
        return default_collate(samples)


@dataclass(frozen=True, kw_only=True)
class ClassificationSamples(ImageSamples):
    """Images with their image-level labels, for the classification network (METHOD section 1).

    `labels` are float32 (N, C) of 0 and 1; the range of the long side includes both ends.
    """

    labels: np.ndarray
    crop_size: int
    resize_long: tuple[int, ...]

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Return an augmented crop of an image, its extent, and the image's labels (C,).

        The crop is uint8 (3, crop, crop); `misc.imutils.normalize_crop` takes it and its extent.
        """
        image = self.read_image(self.ids[index])
        shortest, longest = self.resize_long
        target = int(rng.integers(shortest, longest + 1))
        image = rescale(image, target / max(image.shape[:2]))
        if rng.random() < 0.5:
            image = image[:, ::-1]
        window = random_window(image.shape[:2], self.crop_size, rng)
        return _cut(image, window), window.extent, self.labels[index]


@dataclass(frozen=True, kw_only=True)
class SegmentationSamples(ImageSamples):
    """Images with their label maps, for semantic segmentation.

    `read_label` returns a map, uint8 (H, W); `remedy` says what to do about one of another size.
    """

    read_label: ReadImage
    crop_size: int
    remedy: str

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Return an augmented crop, its extent, and its label, uint8 (crop, crop).

        The crop is uint8 (3, crop, crop); `misc.imutils.normalize_crop` takes it and its extent.
        """
        image, label = (read(self.ids[index]) for read in (self.read_image, self.read_label))
        if image.shape[:2] != label.shape:
            raise ValueError(
                f"{self.ids[index]}: the label is {label.shape}, the image {image.shape[:2]}; "
                f"{self.remedy}"
            )
        scale = rng.uniform(*SCALES)
        image, label = rescale(image, scale), rescale(label, scale, nearest=True)
        if rng.random() < 0.5:
            image, label = image[:, ::-1], label[:, ::-1]
        window = random_window(label.shape, self.crop_size, rng)
        return _cut(image, window), window.extent, window.cut(label, IGNORE)


@dataclass(frozen=True, kw_only=True)
class RelationSamples(SegmentationSamples):
    """Images with their relation labels, for IRNet (METHOD section 4)."""

    remedy: str = "make it again with --cam_to_ir_label_pass True"

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Return as `SegmentationSamples.sample`, the label at stride 4, (crop/4, crop/4)."""
        crop, extent, label = super().sample(index, rng)
        return crop, extent, stride4_label(label)


@dataclass(frozen=True, kw_only=True)
class DetectionSamples(ImageSamples):
    """Images with their instances, for Mask R-CNN (METHOD section 9).

    `read_instances` returns an image's: `mask` bool (N, H, W) and `class` int (N,) from 0.
    """

    read_instances: Callable[[str], Mapping[str, np.ndarray]]

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return an image with its instances, flipped with probability ½.

        Returns:
            image uint8 (3, H, W); as torchvision's detectors take them `boxes` float32 (N, 4) as
            x0, y0, x1, y1, `labels` int64 (N,) from 1, `masks` uint8 (N, H, W). Boxes and masks are
            in pixels.
        """
        image = self.read_image(self.ids[index])
        found = self.read_instances(self.ids[index])
        masks = found["mask"]
        if rng.random() < 0.5:
            image, masks = image[:, ::-1], masks[..., ::-1]
        target = {
            "boxes": torch.from_numpy(bounding_boxes(masks)),
            "labels": torch.from_numpy(found["class"] + 1),
            "masks": torch.from_numpy(masks.astype(np.uint8)),
        }
        return planes(image), target

    def collate(self, samples: list[Any]) -> Any:
        """Make a batch of lists: images differ in size."""
        return [list(part) for part in zip(*samples, strict=True)]


def stride4_label(label: np.ndarray) -> np.ndarray:
    """Reduce a label map (H, W) to the stride-4 grid by nearest neighbours."""
    height, width = ((side - 1) // 4 + 1 for side in label.shape)
    return resize(label, (height, width), nearest=True)


def _cut(image: np.ndarray, window: Window) -> Tensor:
    return torch.from_numpy(window.cut(image.transpose(2, 0, 1), 0))
