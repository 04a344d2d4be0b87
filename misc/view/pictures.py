"""Pictures of the stages' results: scores, labels and fields as colours.

A picture is uint8 (h, w, 3), or (h, w, 4) with transparency.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from misc.files.palette import Entry

_ARROWS = 14  # along the longer side of a field


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An overlay: a stage's result for an image.

    Attributes:
        title: what it is.
        picture: uint8 (h, w, 3), or (h, w, 4) with transparency, in any size; None is the image
            itself.
        opacity: its initial opacity over the image.
        entries: names and colours of its legend.
        note: how to read it.
    """

    title: str
    picture: np.ndarray | None = None
    opacity: float = 1.0
    entries: Sequence[Entry] = ()
    note: str = ""


def heat_colours(scores: np.ndarray) -> np.ndarray:
    """Colour scores (H, W) in [0, 1], dark blue to yellow: uint8 (H, W, 3)."""
    levels = np.rint(np.clip(scores, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def grey(values: np.ndarray) -> np.ndarray:
    """Draw values (h, w) in [0, 1] from black to white: uint8 (h, w, 3)."""
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def label_colours(label: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colour a label map (H, W) by a palette (256, 3), label 0 transparent: uint8 (H, W, 4)."""
    opaque = np.where(label > 0, 255, 0)
    return np.dstack([palette[label], opaque]).astype(np.uint8)


def field_picture(displacement: np.ndarray, *, longest: float, scale: int = 4) -> np.ndarray:
    """Draw a displacement field (2, h, w) as colours, and as arrows of half its length.

    At full length the arrows would overlap. The hue is the direction, the saturation the length,
    full at `longest` pixels of the field's grid. uint8 (scale·h, scale·w, 3).
    """
    dy, dx = displacement.astype(np.float32)
    saturation = np.clip(np.hypot(dy, dx) / longest, 0, 1)
    hue = np.degrees(np.arctan2(dy, dx)) % 360
    colours = cv2.cvtColor(np.dstack([hue, saturation, np.ones_like(hue)]), cv2.COLOR_HSV2RGB)
    picture = cv2.resize(np.rint(colours * 255).astype(np.uint8), None, fx=scale, fy=scale)
    height, width = hue.shape
    step = max(2, round(max(height, width) / _ARROWS))
    for y in range(step // 2, height, step):
        for x in range(step // 2, width, step):
            if np.hypot(dy[y, x], dx[y, x]) > 1:
                start, end = _pixel(x, y, scale), _pixel(x + dx[y, x] / 2, y + dy[y, x] / 2, scale)
                cv2.arrowedLine(picture, start, end, (30, 30, 30), 1, cv2.LINE_AA)
    return picture


def _pixel(x: float, y: float, scale: int) -> tuple[int, int]:
    """Return the centre of a grid's pixel in a picture upscaled by `scale`, in cv2's order."""
    return round(float((x + 0.5) * scale)), round(float((y + 0.5) * scale))
