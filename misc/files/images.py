"""Image and label files: read in every mode, written atomically.

Readers raise FileNotFoundError where there is no file, ValueError where it cannot be decoded.
"""

import importlib
import io
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image

from misc.files.atomic import write_bytes

Decoded = TypeVar("Decoded")

# Of what PIL opens, EPS and WMF start programs; of the others it reads the head of a file only.
_NOT_PHOTOGRAPHS = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
LARGEST_OF_12_BITS = 4095
# PIL would take a photograph of 108 megapixels for an attack.
Image.MAX_IMAGE_PIXELS = 1 << 29
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# PIL stretches grey of 2 and 4 bits to 8.
_STRETCHED = {"L;2": 85, "L;4": 17}


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as RGB, its pixels as stored.

    Grey, CMYK and palette files are converted. Grey ones of 16 bits keep their upper byte, those
    of which no value exceeds 4095 that of 12 bits; floats are stretched from their own minimum to
    maximum. EXIF rotation is not applied, because labels are drawn on the stored pixels.

    Returns:
        uint8 array (H, W, 3).
    """
    return np.asarray(_decode(path, _to_rgb))


def photograph_formats() -> dict[str, str]:
    """Return the formats that are read, by the ending of a file's name: `.jpg`."""
    known = set(_formats())
    return {ending: name for ending, name in Image.EXTENSION.items() if name in known}


def read_photograph(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as people see it: EXIF rotation applied, what is transparent white.

    Of a film, the first picture; otherwise as `read_image`.

    Returns:
        uint8 array (H, W, 3).
    """
    return np.asarray(_decode(path, _as_seen))


def photograph_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return (H, W) of what `read_photograph` reads."""
    if is_turned(path):
        height, width = read_photograph(path).shape[:2]
        return height, width
    return image_size(path)


def is_turned(path: str | os.PathLike[str]) -> bool:
    """Return whether EXIF asks to turn or mirror an image; False where it cannot be read."""
    try:
        return _decode(path, _turn) != 1
    except (ValueError, OSError):
        return False


def photograph_problem(path: str | os.PathLike[str]) -> str:
    """Return in one line why `read_photograph` cannot read a file; empty where it can.

    Of JPEG and PNG only the beginning and the end are looked at: 120,000 take seconds.
    """
    try:
        if not _is_whole(path):
            _decode(path, lambda image: image.load())
    except (ValueError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a palette image or a grey one of up to 8 bits whose values are labels: uint8 (H, W)."""
    mode, label = _decode(path, _values)
    if mode not in ("P", "L"):
        raise ValueError(
            f"{path}: a label map must be a palette or 8-bit grey image, this one is {mode}"
        )
    return label


def read_numbers(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a grey image of 8 or 16 bits: integers (H, W), 0 to 65535."""
    mode, numbers = _decode(path, _values)
    if mode not in ("P", "L", "I;16", "I;16B", "I"):
        raise ValueError(f"{path}: must be a grey image of 8 or 16 bits, this one is {mode}")
    if not 0 <= numbers.min() <= numbers.max() <= 65535:
        raise ValueError(f"{path}: its values are {numbers.min()} to {numbers.max()}")
    return numbers


def read_grey(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a grey image as it is seen: of a palette its greys, else as `read_numbers`: (H, W)."""
    if _decode(path, lambda image: image.mode) != "P":
        return read_numbers(path)
    seen = read_image(path)
    if (seen != seen[..., :1]).any():
        raise ValueError(f"{path}: its palette has colours; a grey image is accepted")
    return seen[..., 0]


def read_opaque(path: str | os.PathLike[str]) -> np.ndarray:
    """Return which pixels are not wholly transparent: bool (H, W)."""
    return _decode(path, lambda image: np.asarray(image.convert("RGBA"))[..., 3] > 0)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return an image's (H, W) from its header."""
    width, height = _decode(path, lambda opened: opened.size)
    return height, width


def write_label(
    path: str | os.PathLike[str], label: np.ndarray, *, palette: np.ndarray | None = None
) -> None:
    """Write a label map (H, W) of uint8 as an 8-bit grey PNG, or with a (256, 3) palette."""
    write_bytes(path, encode_png(np.asarray(label, dtype=np.uint8), palette=palette))


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


@cache
def _formats() -> list[str]:
    Image.init()
    with suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    return [name for name in Image.ID if name not in _NOT_PHOTOGRAPHS]


def _to_rgb(image: Image.Image) -> Image.Image:
    # Of these PIL would clip the values to 0..255.
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        shift = 8 if values.max() > LARGEST_OF_12_BITS else 4
        image = Image.fromarray((values >> shift).clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        image = Image.fromarray(_stretched(np.asarray(image).astype(np.float64)))
    return image.convert("RGB")


def _stretched(values: np.ndarray) -> np.ndarray:
    """Return floats with the smallest finite one as 0, the largest as 255; NaN as the smallest."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    known = np.where(np.isnan(values), low, values).clip(low, high)
    return np.rint((known - low) * (255 / (high - low or 1))).astype(np.uint8)


def _values(image: Image.Image) -> tuple[str, np.ndarray]:
    """Return the mode of an image, and its values as they are stored."""
    tiles = getattr(image, "tile", ())
    raw = tiles[0][3] if tiles else ""
    return image.mode, np.asarray(image) // _STRETCHED.get(raw, 1)


def _turn(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 where there is none or it is unreadable."""
    try:
        # Of PNG, PIL's own would decode the pixels first.
        turn = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # any field may be of a wrong type
        return 1
    return turn if turn in _TURNS else 1


def _is_whole(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins and ends as JPEG or PNG does."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
            file.seek(-8, os.SEEK_END)
            ends = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}
            return file.read().endswith(ends.get(head, ends.get(head[:3], b"none")))
    except OSError:
        return False


def _as_seen(image: Image.Image) -> Image.Image:
    image.load()  # turns a TIFF already
    turn = _turn(image)
    turned = image.transpose(_TURNS[turn]) if turn != 1 else image
    if not turned.has_transparency_data:
        return _to_rgb(turned)
    if turned.mode.startswith("I"):  # of one value that is transparent, which PIL would clip
        seen = np.array(_to_rgb(turned))
        seen[np.asarray(turned) == turned.info["transparency"]] = 255
        return Image.fromarray(seen)
    layer = turned.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _decode(path: str | os.PathLike[str], convert: Callable[[Image.Image], Decoded]) -> Decoded:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_formats()) as opened:
                return convert(opened)
    except Exception as error:  # PIL's plugins raise almost anything on a broken file
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path}: cannot be read as an image ({reason})") from error
