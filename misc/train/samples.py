"""Training samples: an augmented image with its labels; and the batches of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from misc.imutils import (
    IGNORE,
    Window,
    normalize_crop,
    planes,
    random_window,
    rescale,
    resize,
)
from misc.machine import ranks
from misc.masks import bounding_boxes
from misc.run.workers import forking, start_worker

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

    @staticmethod
    def normalized(batch: Any) -> list[Any]:
        """Return a batch as the networks take it: float32 (B, 3, crop, crop), then the labels."""
        crops, extents, *labels = batch
        return [normalize_crop(crops, extents), *labels]


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

        The crop is uint8 (3, crop, crop), the extent that of `misc.imutils.Window`.
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

        The crop is uint8 (3, crop, crop), the extent that of `misc.imutils.Window`.
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
        return crop, extent, strided_label(label, 4)


@dataclass(frozen=True, kw_only=True)
class AMNSamples(SegmentationSamples):
    """Images with their relation labels and image-level labels, for AMN (METHOD section 2).

    `labels` are float32 (N, C) of 0 and 1.
    """

    labels: np.ndarray
    remedy: str = "name the folder of these images' relation labels with --amn_label_dir"

    def sample(  # type: ignore[override]  # one part more
        self, index: int, rng: np.random.Generator
    ) -> tuple[Tensor, np.ndarray, np.ndarray, np.ndarray]:
        """Return as `SegmentationSamples.sample`, the label at stride 16; and the labels (C,)."""
        crop, extent, label = super().sample(index, rng)
        classes = self.labels.shape[1]
        if (last := label[label != IGNORE].max(initial=0)) > classes:
            raise ValueError(
                f"{self.ids[index]}: its relation label has class {last} of {classes} classes; "
                f"{self.remedy}"
            )
        return crop, extent, strided_label(label, 16), self.labels[index]


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

    @staticmethod
    def normalized(batch: Any) -> list[Any]:
        """Return a batch as torchvision's detectors take it: images in [0, 1], then the targets."""
        images, targets = batch
        return [[detector_image(image) for image in images], targets]


def detector_image(image: Tensor) -> Tensor:
    """Convert a uint8 image (3, H, W) to float32 in [0, 1], as torchvision's detectors take it."""
    return image.float() / 255


def strided_label(label: np.ndarray, stride: int) -> np.ndarray:
    """Reduce a label map (H, W) to the grid of a stride by nearest neighbours."""
    height, width = ((side - 1) // stride + 1 for side in label.shape)
    return resize(label, (height, width), nearest=True)


def _cut(image: np.ndarray, window: Window) -> Tensor:
    return torch.from_numpy(window.cut(image.transpose(2, 0, 1), 0))


def load_batches(
    samples: ImageSamples,
    batch_size: int,
    steps: range,
    *,
    seed: int,
    num_workers: int,
    micro_batch: int = 0,
    pin_memory: bool = False,
) -> Iterator[Any]:
    """Yield `own_parts` of each step's batch; raise the error of a sample as it was raised.

    Pinned memory is for batches that are copied to a CUDA device.

    Raises:
        OSError: a loader process died.
    """
    processes = ranks.share_of_processes(num_workers)
    batches: DataLoader[Any] = DataLoader(
        _Augmented(samples, seed),
        batch_sampler=batch_keys(len(samples), batch_size, seed, steps, micro_batch),
        collate_fn=partial(_collate, samples),
        num_workers=processes,
        multiprocessing_context=forking() if processes else None,
        worker_init_fn=start_worker,
        # Without a generator of its own, a loader's seed would consume torch's random state.
        generator=torch.Generator().manual_seed(0),
        pin_memory=pin_memory,
    )
    try:
        for batch in batches:
            if isinstance(batch, Exception):
                raise batch
            yield batch
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise OSError(
            f"a loader process died ({str(error).splitlines()[0]}), most often out of memory: "
            "pass a smaller --num_workers (0 loads in the main process) and run the same command "
            "again"
        ) from error


def own_parts(batch_size: int, micro_batch: int) -> Sequence[int]:
    """Return the numbers of the parts of a batch that this rank takes, one after the other.

    With 2 ranks that take 3 parts each, rank 0 takes 0, 2 and 4: the parts, and what is random in
    them, are those of 6 ranks. A part has at most `micro_batch` images; if that is 0, a rank takes
    one part.
    """
    each = -(-batch_size // (micro_batch * ranks.world_size())) if micro_batch else 1
    return ranks.share(range(each * ranks.world_size()))


def batch_keys(
    images: int, batch_size: int, seed: int, steps: range, micro_batch: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield (epoch, index) of each image of a part, for `own_parts` of each step's batch.

    Every epoch has an order of its own. With fewer images than parts, the parts without one get the
    first as a placeholder, since all ranks take as many; the training counts it once.
    """
    parts = own_parts(batch_size, micro_batch)
    steps_an_epoch, number = images // batch_size, len(parts) * ranks.world_size()
    order, order_epoch = np.arange(0), -1
    for step in steps:
        epoch, place = divmod(step, steps_an_epoch)
        if epoch != order_epoch:
            order = np.random.default_rng([seed, epoch]).permutation(images)
            order_epoch = epoch
        chosen = order[place * batch_size : (place + 1) * batch_size]
        for part in parts:
            own = chosen[part::number].tolist() or chosen[:1].tolist()
            yield [(epoch, index) for index in own]


@dataclass(frozen=True)
class _Augmented(Dataset[Any]):
    samples: ImageSamples
    seed: int

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        try:
            return self.samples.sample(index, np.random.default_rng([self.seed, epoch, index]))
        except Exception as error:
            return error


def _collate(samples: ImageSamples, items: list[Any]) -> Any:
    errors = [item for item in items if isinstance(item, Exception)]
    return errors[0] if errors else samples.collate(items)
