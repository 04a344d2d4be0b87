"""Reading, writing, resizing and cropping of images and label maps."""

import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from misc.files import write_bytes

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
IGNORE = 255
# Others are no data set's, and some of PIL's readers start programs (EPS).
FORMATS = ("JPEG", "PNG", "BMP")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as RGB, its pixels in the order in which they are stored.

    Grey, CMYK, palette and 16-bit files are converted; an EXIF rotation is not applied, because
    the labels of a data set are drawn on the stored pixels.

    Returns:
        uint8 array (H, W, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded as an image.
    """
    return np.asarray(_decode(Path(path), _to_rgb))


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a label map: a palette or 8-bit grey image whose values are the labels.

    Returns:
        uint8 array (H, W).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded, or is a colour image.
    """
    image = _decode(Path(path), lambda opened: opened.copy())
    if image.mode not in ("P", "L"):
        raise ValueError(
            f"{path}: a label map must be a palette or 8-bit grey image, this one is {image.mode}"
        )
    return np.asarray(image)


def write_label(
    path: str | os.PathLike[str], label: np.ndarray, *, palette: np.ndarray | None = None
) -> None:
    """Write a label map (H, W) of uint8 as an 8-bit grey PNG, or with a (256, 3) palette."""
    write_bytes(path, encode_png(np.asarray(label, dtype=np.uint8), palette=palette))


def encode_png(picture: np.ndarray, *, palette: np.ndarray | None = None) -> bytes:
    """Encode uint8 (H, W), (H, W, 3) or (H, W, 4) as PNG; one channel with a palette if given."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    if palette is not None:
        image.putpalette(palette.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def resize(image: np.ndarray, size: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """Resize to `size` = (height, width): PIL's BICUBIC for images, its NEAREST for labels.

    cv2's kernels of the same names give other numbers, so they must not take their place.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    method = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    # A copy: an array over PIL's memory is read-only, which torch warns of.
    return np.array(Image.fromarray(image).resize((width, height), method))


def rescale(image: np.ndarray, scale: float, *, nearest: bool = False) -> np.ndarray:
    """Resize by a factor; the size is (round(H·scale), round(W·scale)), at least one pixel."""
    height, width = (max(1, int(np.round(side * scale))) for side in image.shape[:2])
    return resize(image, (height, width), nearest=nearest)


def planes(image: np.ndarray) -> torch.Tensor:
    """Return a uint8 image (H, W, 3) as a uint8 tensor (3, H, W), the form it travels in."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def normalize(image: torch.Tensor) -> torch.Tensor:
    """Turn uint8 RGB images (..., 3, H, W) into the network's float32, on their device."""
    # One multiply-add a channel: x / 255 - mean over std, in float32.
    values = zip(image.float().unbind(-3), MEAN, STD, strict=True)
    return torch.stack([plane * (1 / (255 * std)) - mean / std for plane, mean, std in values], -3)


def normalize_crop(crop: torch.Tensor, extent: torch.Tensor) -> torch.Tensor:
    """Turn uint8 crops into the network's float32, 0 outside the images that they show.

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
        """Where the image lies in the canvas: int64 (4,), rows from, to, columns from, to."""
        rows, columns = self.target
        return np.array([rows.start, rows.stop, columns.start, columns.stop])

    def cut(self, image: np.ndarray, fill: float) -> np.ndarray:
        """Cut (..., H, W) to (..., size, size); what lies outside the image is `fill`."""
        canvas = np.full((*image.shape[:-2], self.size, self.size), fill, image.dtype)
        canvas[(..., *self.target)] = image[(..., *self.source)]
        return canvas


def random_window(shape: tuple[int, ...], size: int, rng: np.random.Generator) -> Window:
    """Place a crop: an axis longer than it at a uniform offset, a shorter one in the canvas."""
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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bits a pixel: PIL would clip at 255; keep the upper byte instead.
        values = np.asarray(image).astype(np.int64)
        image = Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def _decode(path: Path, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            # Beyond PIL's limit a file is more likely a bomb than a photograph.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as opened:
                return convert(opened)
    except Exception as error:  # PIL's plugins raise almost anything on a broken file
        raise ValueError(f"{path}: cannot be read as an image ({error})") from error
