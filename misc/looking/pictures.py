"""Pictures of the stages' results: scores, labels, fields and centroids as colours.

A picture is uint8 (h, w, 3), or (h, w, 4) with transparency.
"""

import colorsys

import cv2
import numpy as np

from misc.files.palette import OBJECT_COLOURS

_ARROWS = 14  # along the longer side of a field


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


def field_picture(displacement: np.ndarray, *, longest: float = 12.0) -> np.ndarray:
    """Draw a displacement field (2, h, w): the hue is its direction, the saturation its length.

    Full saturation is `longest` pixels of the field's grid or more. uint8 (h, w, 3).
    """
    dy, dx = displacement
    hue = (np.arctan2(dy, dx) / (2 * np.pi)) % 1.0
    strength = np.clip(np.hypot(dy, dx) / longest, 0, 1)
    colours = np.array([colorsys.hsv_to_rgb(step / 256, 1, 1) for step in range(256)])
    picture = 1 - strength[..., None] * (1 - colours[(hue * 255).astype(int)])
    return (picture * 255).astype(np.uint8)


def arrow_picture(displacement: np.ndarray, *, longest: float, scale: int = 4) -> np.ndarray:
    """Draw a field as `field_picture`, upscaled by `scale`, with arrows of half its length.

    At full length they would overlap.
    """
    colours = field_picture(displacement, longest=longest)
    picture = cv2.resize(colours, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    _, height, width = displacement.shape
    step = max(2, round(max(height, width) / _ARROWS))
    for y in range(step // 2, height, step):
        for x in range(step // 2, width, step):
            dy, dx = displacement[:, y, x]
            if np.hypot(dy, dx) > 1:
                start = _pixel(x, y, scale)
                cv2.arrowedLine(
                    picture,
                    start,
                    _pixel(x + dx / 2, y + dy / 2, scale),
                    (30, 30, 30),
                    1,
                    cv2.LINE_AA,
                )
    return picture


def colour_wheel(size: int = 96) -> np.ndarray:
    """Draw the colour wheel of `field_picture`: uint8 (size, size, 3)."""
    radius = (size - 1) / 2
    field = np.indices((size, size), dtype=np.float64) - radius
    wheel = field_picture(field, longest=radius)
    wheel[np.hypot(*field) > radius] = 255
    return wheel


def centroid_picture(
    centroids: np.ndarray, instance_map: np.ndarray, *, scale: int = 4
) -> np.ndarray:
    """Draw the centroids, in the colour of their instance, on a tint of its pixels.

    Args:
        centroids: integer (2, h, w), y and x of each pixel's centroid.
        instance_map: integer (h, w), ids 0..n-1.
        scale: size of a pixel of this grid.

    Returns:
        uint8 (scale·h, scale·w, 4); a disc's area is the number of pixels with that centroid.
    """
    height, width = instance_map.shape
    colours = OBJECT_COLOURS[instance_map % len(OBJECT_COLOURS)]
    tint = np.dstack([colours, np.full((height, width), 110, np.uint8)])
    picture = np.repeat(np.repeat(tint, scale, axis=0), scale, axis=1)
    gathered = np.bincount(
        (centroids[0] * width + centroids[1]).reshape(-1), minlength=height * width
    )
    for place in np.flatnonzero(gathered > max(1, gathered.sum() // 300)):
        y, x = divmod(int(place), width)
        colour = OBJECT_COLOURS[instance_map[y, x] % len(OBJECT_COLOURS)]
        radius = max(2, round(scale * np.sqrt(gathered[place] / np.pi) / 4))
        centre = _pixel(x, y, scale)
        cv2.circle(picture, centre, radius, (*map(int, colour), 255), -1, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, (0, 0, 0, 255), 1, cv2.LINE_AA)
    return picture


def lay(image: np.ndarray, picture: np.ndarray, opacity: float) -> np.ndarray:
    """Overlay a picture, resized to the image's size, on a uint8 image (H, W, 3)."""
    height, width = image.shape[:2]
    method = cv2.INTER_LINEAR if picture.shape[2] == 3 else cv2.INTER_NEAREST
    large = cv2.resize(picture, (width, height), interpolation=method).astype(np.float32)
    share = opacity * (large[..., 3:] / 255 if picture.shape[2] == 4 else 1)
    return (image * (1 - share) + large[..., :3] * share).astype(np.uint8)


def _pixel(x: float, y: float, scale: int) -> tuple[int, int]:
    """Return the centre of a grid's pixel in a picture upscaled by `scale`, in cv2's order."""
    return round(float((x + 0.5) * scale)), round(float((y + 0.5) * scale))
