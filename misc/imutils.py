"""Resizing, cropping and normalising of images and label maps."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
IGNORE = 255


def resize(image: np.ndarray, size: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """Resize to `size` = (height, width): PIL's BICUBIC for images, its NEAREST for labels.

    cv2's kernels of the same names give other values, so they must not replace these.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    method = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    # A copy: an array over PIL's memory is read-only, which torch warns about.
    return np.array(Image.fromarray(image).resize((width, height), method))


def rescale(image: np.ndarray, scale: float, *, nearest: bool = False) -> np.ndarray:
    """Resize by a factor; the size is (round(H·scale), round(W·scale)), at least one pixel."""
    height, width = (max(1, int(np.round(side * scale))) for side in image.shape[:2])
    return resize(image, (height, width), nearest=nearest)


def planes(image: np.ndarray) -> torch.Tensor:
    """Return a uint8 image (H, W, 3) as a uint8 tensor (3, H, W), the form loaders send it in."""
    # A copy: of one pixel or one column the transposed view is contiguous, and may be read-only.
    return torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C"))


def normalize(image: torch.Tensor) -> torch.Tensor:
    """Normalise uint8 RGB images (..., 3, H, W) to the network's float32, on their device."""
    # One multiply-add per channel: (x / 255 - mean) / std, in float32.
    values = zip(image.float().unbind(-3), MEAN, STD, strict=True)
    return torch.stack([plane * (1 / (255 * std)) - mean / std for plane, mean, std in values], -3)


def normalize_crop(crop: torch.Tensor, extent: torch.Tensor) -> torch.Tensor:
    """Normalise uint8 crops to the network's float32, 0 in the padding.

    Args:
        crop: uint8 (..., 3, size, size).
        extent: int64 (..., 4), see `Window.extent`.
    """
    place = torch.arange(crop.shape[-1], device=crop.device)
    top, bottom, left, right = (side[..., None] for side in extent.unbind(-1))
    rows, columns = (place >= top) & (place < bottom), (place >= left) & (place < right)
    inside = (rows[..., :, None] & columns[..., None, :]).unsqueeze(-3)
    return normalize(crop) * inside


def with_mirror(image: torch.Tensor) -> torch.Tensor:
    """Stack an image (3, H, W) with its horizontal mirror: (2, 3, H, W)."""
    return torch.stack([image, image.flip(-1)])


@dataclass(frozen=True, kw_only=True)
class Window:
    """Where a crop lies: `source` rows and columns of the image go to `target` of the canvas."""

    source: tuple[slice, slice]
    target: tuple[slice, slice]
    size: int

    @property
    def extent(self) -> np.ndarray:
        """The image's place in the canvas: int64 (4,), rows from, to, columns from, to."""
        rows, columns = self.target
        return np.array([rows.start, rows.stop, columns.start, columns.stop])

    def cut(self, image: np.ndarray, fill: float) -> np.ndarray:
        """Crop (..., H, W) to (..., size, size); padding is `fill`."""
        canvas = np.full((*image.shape[:-2], self.size, self.size), fill, image.dtype)
        canvas[(..., *self.target)] = image[(..., *self.source)]
        return canvas


def random_window(shape: tuple[int, ...], size: int, rng: np.random.Generator) -> Window:
    """Place a random crop: uniform offsets in the image, or in the canvas on shorter axes."""
    pairs = [_random_span(side, size, rng) for side in shape]
    return _window(pairs, size)


def top_left_window(shape: tuple[int, ...], size: int) -> Window:
    """Place a crop at the top left corner of the image."""
    spans = [slice(0, min(side, size)) for side in shape]
    return _window([(span, span) for span in spans], size)


def _window(pairs: list[tuple[slice, slice]], size: int) -> Window:
    (source_y, target_y), (source_x, target_x) = pairs
    return Window(source=(source_y, source_x), target=(target_y, target_x), size=size)


def _random_span(side: int, size: int, rng: np.random.Generator) -> tuple[slice, slice]:
    space = side - size
    offset = int(rng.integers(abs(space) + 1))
    length = min(side, size)
    moved, still = slice(offset, offset + length), slice(0, length)
    return (moved, still) if space > 0 else (still, moved)
