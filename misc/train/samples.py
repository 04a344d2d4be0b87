"""Training samples: an image, augmented, with its labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from misc.files.dataset import Images
from misc.imutils import IGNORE, Window, planes, random_window, rescale, resize, top_left_window
from misc.masks import bounding_boxes

ReadImage = Callable[[str], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class ImageSamples:
    """What all samples are made of; `sample` of the others makes one.

    Attributes:
        ids: the images.
        read_image: returns an image as uint8 (H, W, 3).
    """

    ids: Sequence[str]
    read_image: ReadImage

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class ClassificationSamples(ImageSamples):
    """Images with their image-level labels, for the classification network (METHOD section 1).

    Attributes:
        labels: float32 (N, C) of 0 and 1.
        crop_size: side of the crop, pixels.
        resize_long: range of the long side, pixels, both ends included.
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

    Attributes:
        read_label: returns its label map as uint8 (H, W).
        crop_size: side of the crop, pixels.
        remedy: what to do about a label of another size than its image's.
        scales: range of the random scale.
    """

    read_label: ReadImage
    crop_size: int
    remedy: str
    scales: tuple[float, float] = (0.5, 1.5)

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
        scale = rng.uniform(*self.scales)
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

    Attributes:
        read_instances: returns its instances: `mask` bool (N, H, W) and `class` int (N,) from 0.
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


def detector_image(image: Tensor) -> Tensor:
    """Convert a uint8 image (3, H, W) to float32 in [0, 1], as torchvision's detectors take it."""
    return image.float() / 255


def stride4_label(label: np.ndarray) -> np.ndarray:
    """Reduce a label map (H, W) to the stride-4 grid by nearest neighbours."""
    height, width = ((side - 1) // 4 + 1 for side in label.shape)
    return resize(label, (height, width), nearest=True)


def top_left_crop(image: np.ndarray, crop_size: int) -> tuple[Tensor, Tensor]:
    """Crop an image (H, W, 3) at its top left: uint8 (3, crop, crop), and the crop's extent."""
    window = top_left_window(image.shape[:2], crop_size)
    return _cut(image, window), torch.from_numpy(window.extent)


def _cut(image: np.ndarray, window: Window) -> Tensor:
    return torch.from_numpy(window.cut(image.transpose(2, 0, 1), 0))


LoadedScales = tuple[tuple[int, int], list[torch.Tensor]]


def load_scales(dataset: Images, scales: Sequence[float], image_id: str) -> LoadedScales:
    """Read an image: its (H, W), and the image at each scale, uint8 (3, sH, sW)."""
    image = dataset.image(image_id)
    return image.shape[:2], [planes(rescale(image, scale)) for scale in scales]
