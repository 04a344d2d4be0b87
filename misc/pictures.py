"""Pictures of what the stages make, for people: overlays, fields, and panels with titles."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from misc.palette import OBJECT_COLOURS

_TITLE_HEIGHT = 22
_GAP = 6


def heat(image: np.ndarray, scores: np.ndarray, *, opacity: float = 0.6) -> np.ndarray:
    """Lay scores (H, W) in [0, 1] over a uint8 image (H, W, 3), dark blue to yellow."""
    levels = (np.clip(scores, 0, 1) * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return _blend(image, colours, np.full(scores.shape, opacity))


def label_overlay(
    image: np.ndarray, label: np.ndarray, palette: np.ndarray, *, opacity: float = 0.65
) -> np.ndarray:
    """Lay a label map (H, W) over an image, each label in its colour of the palette (256, 3)."""
    return _blend(image, palette[label].astype(np.uint8), opacity * (label > 0))


def instance_overlay(image: np.ndarray, masks: np.ndarray, *, opacity: float = 0.6) -> np.ndarray:
    """Lay instance masks, bool (N, H, W), over an image, each in a colour of its own."""
    result = image
    for number, mask in enumerate(masks):
        colour = np.broadcast_to(OBJECT_COLOURS[number % len(OBJECT_COLOURS)], image.shape)
        result = _blend(result, colour, opacity * mask)
    return result


def field_picture(displacement: np.ndarray, *, longest: float = 12.0) -> np.ndarray:
    """Draw a displacement field (2, h, w): the hue is its direction, the strength its length."""
    dy, dx = displacement
    hue = (np.arctan2(dy, dx) / (2 * np.pi)) % 1.0
    strength = np.clip(np.hypot(dy, dx) / longest, 0, 1)
    colours = np.array([colorsys.hsv_to_rgb(step / 256, 1, 1) for step in range(256)])
    picture = 1 - strength[..., None] * (1 - colours[(hue * 255).astype(int)])
    return (picture * 255).astype(np.uint8)


def panel(
    pictures: Sequence[tuple[str, np.ndarray]], size: tuple[int, int], columns: int
) -> np.ndarray:
    """Set titled pictures, each brought to `size` = (H, W), in rows on a white page."""
    height, width = size
    rows = -(-len(pictures) // columns)
    cell_height, cell_width = height + _TITLE_HEIGHT + _GAP, width + _GAP
    page = Image.new("RGB", (columns * cell_width + _GAP, rows * cell_height + _GAP), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=14)
    for number, (title, picture) in enumerate(pictures):
        row, column = divmod(number, columns)
        x, y = _GAP + column * cell_width, _GAP + row * cell_height
        draw.text((x, y), title, fill="black", font=font)
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
        page.paste(resized, (x, y + _TITLE_HEIGHT))
    return np.asarray(page)


def _blend(image: np.ndarray, colours: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    share = opacity[..., None]
    return (image * (1 - share) + colours * share).astype(np.uint8)
