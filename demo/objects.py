"""The objects of the demo data: a plain body of any class, and a part that shows the class.

Everything is drawn by formula, in coordinates (u, v) along and across the object.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
OVERSAMPLING = 2
KINSHIP = 0.35  # the part's fraction of its body's colour: an object's colours are related


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A drawn object, in the middle of a square, or at its place in an image.

    Attributes:
        name: of the class.
        alpha: float32 (H, W), how much of each pixel the object covers.
        colour: float32 (H, W, 3) RGB in 0..1.
        part: bool (H, W), the pixels of the discriminative part.
        area: pixels of the object, those outside the image too.
        part_area: pixels of its part, likewise.
    """

    name: str
    alpha: np.ndarray
    colour: np.ndarray
    part: np.ndarray
    area: int
    part_area: int

    @property
    def mask(self) -> np.ndarray:
        """The pixels that are the object's: bool (H, W)."""
        return self.alpha > 0.5


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The look of a class: the outline, the pattern and the usual hue (0..1) of its part.

    `outline` is true inside, about π in area; `pattern` is a wave whose negative side is darker.
    Both are functions of the part's coordinates, about -1..1.
    """

    outline: Shape
    pattern: Shape
    hue: float


def _rounded_box(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.square(x * x) + np.square(y * y) < 1


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x > -0.8) & (np.sqrt(3) * np.abs(y) + x < 1.55)


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    near, far = np.minimum(np.abs(x), np.abs(y)), np.maximum(np.abs(x), np.abs(y))
    return (near < 0.42) & (far < 1.2)


def _eared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    ears = (x > 0) & (x + 1.6 * np.abs(np.abs(y) - 0.62) < 1.3)
    return (x**2 + y**2 < 0.9) | ears


def _spokes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(x**2 + y**2 < 0.05, 1.0, np.sin(6 * np.arctan2(y, x)))


def _rings(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin(8.5 * np.hypot(x, y) + 1)


def _grid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.cos(6 * x), np.cos(6 * y)) - 0.6


def _ellipse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x**2 + y**2 < 1


def _wedge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _rounded_box(x, y / (0.78 - 0.25 * np.clip(x, -1, 1)))


def _bean(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x**2 + (y + 0.5 * x**2 - 0.2) ** 2 < 1


def _legged(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    legs = (np.abs(np.abs(x) - 0.55) < 0.13) & (y > 0) & (y < 1.35)
    return _rounded_box(x, y / 0.72) | legs


BODIES: tuple[Shape, ...] = (_ellipse, _rounded_box, _wedge, _bean, _legged)


# Six of VOC's names, for drawings that need not resemble them.
KINDS: dict[str, Kind] = {
    "aeroplane": Kind(outline=_cross, pattern=lambda x, y: np.sin(8 * x), hue=0.60),
    "bicycle": Kind(outline=_ellipse, pattern=_spokes, hue=0.02),
    "bird": Kind(
        outline=lambda x, y: np.abs(x) / 1.35 + np.abs(y) / 1.15 < 1,
        pattern=lambda x, y: np.cos(5 * (x + y)) + np.cos(5 * (x - y)) - 0.4,
        hue=0.14,
    ),
    "boat": Kind(
        outline=_triangle, pattern=lambda x, y: np.sin(5.5 * x) * np.sin(5.5 * y), hue=0.47
    ),
    "bottle": Kind(outline=lambda x, y: _rounded_box(x / 1.2, y / 0.72), pattern=_grid, hue=0.31),
    "cat": Kind(outline=_eared, pattern=_rings, hue=0.83),
}


def draw_object(
    name: str, *, length: float, body_colour: np.ndarray, rng: np.random.Generator
) -> Sprite:
    """Draw one object of a class at a random angle.

    Args:
        name: a key of KINDS.
        length: of the object, body and part together, in pixels.
        body_colour: RGB in 0..1, float (3,), before the part's is mixed in.
        rng: source of all variation: proportions, angle, texture, colours.
    """
    kind = KINDS[name]
    # The part is some two thirds of the visible area. Its centre lies on the body, as a face or a
    # mark does, so that it hides some of it and protrudes at one end.
    share, slimness = rng.uniform(0.9, 1.3), rng.uniform(0.65, 1.0)
    ratio = np.sqrt(share * slimness)
    half_body = length / (2 + 0.7 * ratio)
    radius = ratio * half_body
    u, v = _coordinates(length, rng)
    u_body = u + 0.35 * radius
    body = BODIES[rng.integers(len(BODIES))](u_body / half_body, v / (slimness * half_body))
    x, y = _turned((u_body - half_body + 0.3 * radius) / radius, v / radius, rng.uniform(-0.5, 0.5))
    part = kind.outline(x, y)
    light = _shading(u.shape, rng)
    part_colour = _rgb(
        kind.hue + rng.normal(0, 0.02), rng.uniform(0.5, 1.0), rng.uniform(0.5, 0.95)
    )
    body_colour = KINSHIP * part_colour + (1 - KINSHIP) * body_colour
    colour = _body_texture(u, v, length, body_colour, rng)
    colour = np.where(part[..., None], _part_texture(kind, x, y, part_colour, rng), colour)
    return _reduced(name, body | part, part, np.clip(colour * light[..., None], 0, 1))


def random_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw an RGB colour in 0..1, float32 (3,), from dull to vivid and from dark to bright."""
    return _rgb(rng.random(), rng.uniform(0.05, 0.75), rng.uniform(0.25, 0.95))


def _rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def _coordinates(length: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    side = int(np.ceil(length * 1.2)) + 4
    line = (np.arange(side * OVERSAMPLING, dtype=np.float32) + 0.5) / OVERSAMPLING - side / 2
    flip = rng.choice([-1, 1])
    return _turned(line[None, :], flip * line[:, None], rng.uniform(0, 2 * np.pi))


def _turned(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def _shading(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    # A few soft highlights and shadows, as on anything round.
    coarse = rng.uniform(0.72, 1.2, (3, 3)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


def _body_texture(
    u: np.ndarray, v: np.ndarray, length: float, colour: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    cells = int(rng.integers(4, 24))
    grain = rng.normal(0, rng.uniform(0.02, 0.1), (cells, cells)).astype(np.float32)
    wave = cv2.resize(grain, u.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        across = v if rng.random() < 0.5 else u
        wave = wave + 0.06 * np.sin(across * (2 * np.pi * rng.uniform(4, 9) / length))
    return colour + wave[..., None]


def _part_texture(
    kind: Kind, x: np.ndarray, y: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    scale = rng.uniform(0.85, 1.2)
    marked = kind.pattern(scale * x + rng.uniform(-0.1, 0.1), scale * y) > 0
    return np.where(marked[..., None], colour, rng.uniform(0.65, 0.85) * colour)


def _reduced(name: str, whole: np.ndarray, part: np.ndarray, colour: np.ndarray) -> Sprite:
    side = whole.shape[0] // OVERSAMPLING

    def shrink(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)

    alpha, part = shrink(whole), shrink(part) > 0.5
    # Averaged over the object alone, so that nothing outside bleeds into its rim.
    colour = shrink(colour * whole[..., None]) / np.maximum(alpha, 1e-3)[..., None]
    areas = {"area": int((alpha > 0.5).sum()), "part_area": int(part.sum())}
    return Sprite(name=name, alpha=alpha, colour=colour, part=part, **areas)
