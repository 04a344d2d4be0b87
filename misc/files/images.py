"""Image and label files: read in every mode, written atomically."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from misc.files.atomic import write_bytes

Decoded = TypeVar("Decoded")

# Images of pixels alone: some of PIL's readers start programs (EPS). Every Pillow has these.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "JPEG2000", "PPM", "TIFF", "WEBP")
# Of those that PIL opens: EPS and WMF start programs, the others only have the head of a file read.
_NOT_PHOTOGRAPHS = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
LARGEST_OF_12_BITS = 4095


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as RGB, its pixels as stored.

    Grey, CMYK and palette files are converted. Grey ones of 16 bits keep their upper byte, those
    of which no value exceeds 4095 that of 12 bits; floats are stretched from their own minimum to
    maximum. EXIF rotation is not applied, because labels are drawn on the stored pixels.

    Returns:
        uint8 array (H, W, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded as an image.
    """
    return np.asarray(_decode(Path(path), _to_rgb))


def photograph_formats() -> dict[str, str]:
    """Return the formats that `read_photograph` reads, by the ending of a file's name: `.jpg`."""
    Image.init()
    known = set(Image.OPEN) - _NOT_PHOTOGRAPHS
    return {ending: name for ending, name in Image.EXTENSION.items() if name in known}


def read_photograph(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as people see it: EXIF rotation applied, what is transparent white.

    Of a film, the first picture; otherwise as `read_image`, of every format that PIL reads.

    Returns:
        uint8 array (H, W, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded as an image.
    """
    formats = tuple(sorted(set(photograph_formats().values())))
    return np.asarray(_decode(Path(path), _as_seen, formats=formats))


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


def read_numbers(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a map of numbers up to 65535: a grey image of 8 or 16 bits.

    Returns:
        integer array (H, W), no value negative.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded, or is a colour image or one of 32 bits.
    """
    image = _decode(Path(path), lambda opened: opened.copy())
    if image.mode not in ("P", "L", "I;16", "I;16B", "I"):
        raise ValueError(f"{path}: must be a grey image of 8 or 16 bits, this one is {image.mode}")
    numbers = np.asarray(image)
    if not 0 <= numbers.min() <= numbers.max() <= 65535:
        raise ValueError(f"{path}: its values are {numbers.min()} to {numbers.max()}")
    return numbers


def image_endings() -> list[str]:
    """Return the endings of image files that are read, as .jpg, in lower case, sorted."""
    return sorted(e for e, kind in Image.registered_extensions().items() if kind in FORMATS)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return an image's (H, W) from its header; raises as read_image."""
    width, height = _decode(Path(path), lambda opened: opened.size)
    return height, width


def write_label(
    path: str | os.PathLike[str], label: np.ndarray, *, palette: np.ndarray | None = None
) -> None:
    """Write a label map (H, W) of uint8 as an 8-bit grey PNG, or with a (256, 3) palette."""
    write_bytes(path, encode_png(np.asarray(label, dtype=np.uint8), palette=palette))


def write_photograph(path: str | os.PathLike[str], picture: np.ndarray) -> None:
    """Write a picture, uint8 (H, W, 3), as JPEG."""
    write_bytes(path, encode_jpeg(picture))


def encode_jpeg(picture: np.ndarray, *, quality: int = 85) -> bytes:
    """Encode uint8 (H, W, 3) as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(picture: np.ndarray, *, palette: np.ndarray | None = None) -> bytes:
    """Encode uint8 (H, W), (H, W, 3) or (H, W, 4) as PNG; one channel with a palette if given."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    if palette is not None:
        image.putpalette(palette.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _to_rgb(image: Image.Image) -> Image.Image:
    # Of these PIL would clip the values to 0..255.
    if image.mode.startswith("I"):
        image = Image.fromarray(_upper_byte(np.asarray(image).astype(np.int64)))
    elif image.mode == "F":
        image = Image.fromarray(_stretched(np.asarray(image).astype(np.float64)))
    return image.convert("RGB")


def _upper_byte(values: np.ndarray) -> np.ndarray:
    """Return the upper byte of 16 bits, or of 12 where no value has more."""
    shift = 8 if values.max() > LARGEST_OF_12_BITS else 4
    return (values >> shift).clip(0, 255).astype(np.uint8)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Return floats with the smallest finite one as 0, the largest as 255; NaN as the smallest."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    known = np.where(np.isnan(values), low, values).clip(low, high)
    return np.rint((known - low) * (255 / (high - low or 1))).astype(np.uint8)


def _as_seen(image: Image.Image) -> Image.Image:
    turned = ImageOps.exif_transpose(image)
    if not turned.has_transparency_data:
        return _to_rgb(turned)
    layer = turned.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _decode(
    path: Path,
    convert: Callable[[Image.Image], Decoded],
    *,
    formats: tuple[str, ...] = FORMATS,
) -> Decoded:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            # Beyond PIL's limit a file is more likely a bomb than a photograph.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as opened:
                return convert(opened)
    except Exception as error:  # PIL's plugins raise almost anything on a broken file
        raise ValueError(f"{path}: cannot be read as an image ({error})") from error
