"""The scenes of the demo data: background, clutter, objects, light, noise."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from demo.objects import KINDS, Sprite, draw_object, random_colour

SMALLEST, LARGEST = 0.30, 0.90  # length of an object over the image's shorter side: threefold
LEAST_SEEN = 0.5  # visible fraction of an object, and of its part, under occlusion


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A drawn image with its objects.

    Attributes:
        image: uint8 RGB (H, W, 3).
        owner: int64 (H, W), the object each pixel shows, -1 where none.
        names: the class name of each object.
        cut: of each object, whether the image's edge cuts it.
    """

    image: np.ndarray
    owner: np.ndarray
    names: tuple[str, ...]
    cut: tuple[bool, ...]


def draw_scene(first: str, *, size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Draw an image (height, width) of one to three objects of class `first`.

    Four in ten show one to three of a second class, too. All that varies is drawn from `rng`.
    """
    background = _background(size, rng)
    _add_clutter(background, rng)
    placed: list[Sprite] = []
    names = _choose_names(first, rng)
    for name in names:
        length = _choose_length(size, len(names), rng)
        colour = _choose_colour(background, placed, rng)
        sprite = draw_object(name, length=length, body_colour=colour, rng=rng)
        if (found := _place(sprite, placed, size, rng)) is not None:
            placed.append(found)
    return _finished(background, placed, rng)


def _choose_names(first: str, rng: np.random.Generator) -> list[str]:
    names = [first] * int(rng.choice([1, 2, 3], p=[0.4, 0.35, 0.25]))
    if rng.random() < 0.3:
        names.append(str(rng.choice([name for name in KINDS if name != first])))
    return [first, *(str(name) for name in rng.permutation(names[1:]))]


def _choose_length(size: tuple[int, int], count: int, rng: np.random.Generator) -> float:
    largest = LARGEST / np.sqrt(max(1, count - 1))
    return min(size) * SMALLEST * (largest / SMALLEST) ** rng.random()


def _choose_colour(
    background: np.ndarray, placed: list[Sprite], rng: np.random.Generator
) -> np.ndarray:
    # As in photographs, most objects differ from their surroundings; one in ten may not.
    around = cv2.resize(background, (3, 3), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    others = [other.colour[other.mask].mean(axis=0) for other in placed]
    far = 0.0 if rng.random() < 0.1 else 0.3
    for _ in range(20):
        colour = random_colour(rng)
        distances = np.linalg.norm(np.array([*around, *others]) - colour, axis=1)
        if distances.min() >= far:
            break
    return colour


def _place(
    sprite: Sprite, placed: list[Sprite], size: tuple[int, int], rng: np.random.Generator
) -> Sprite | None:
    """Find a place where the object and those it hides stay recognisable; None if there is none."""
    close = bool(placed) and rng.random() < 0.65
    for attempt in range(60):
        centre = rng.beta(3, 3, 2) * size  # objects in photographs are near the centre
        if close and attempt < 50:
            other = np.argwhere(placed[rng.integers(len(placed))].mask).mean(axis=0)
            centre = other + rng.normal(0, 0.5 * sprite.alpha.shape[0], 2)
        candidate = _on_canvas(sprite, centre, size)
        if not _all_seen([*placed, candidate]):
            continue
        touching = _touches(candidate, placed)
        if attempt >= 50 or touching == close:
            return candidate
    return None


def _on_canvas(sprite: Sprite, centre: np.ndarray, size: tuple[int, int]) -> Sprite:
    """Return the object on an image's canvas, around its centre (row, column)."""
    side = sprite.alpha.shape[0]
    top, left = (round(float(value)) - side // 2 for value in centre)
    rows, columns = np.arange(top, top + side), np.arange(left, left + side)
    in_rows, in_columns = (rows >= 0) & (rows < size[0]), (columns >= 0) & (columns < size[1])
    source, place = np.ix_(in_rows, in_columns), np.ix_(rows[in_rows], columns[in_columns])

    def put(values: np.ndarray) -> np.ndarray:
        canvas = np.zeros((*size, *values.shape[2:]), values.dtype)
        canvas[place] = values[source]
        return canvas

    return replace(
        sprite, alpha=put(sprite.alpha), colour=put(sprite.colour), part=put(sprite.part)
    )


def _touches(candidate: Sprite, placed: list[Sprite]) -> bool:
    grown = cv2.dilate(candidate.mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return any((grown & other.mask).any() for other in placed)


def _all_seen(stack: list[Sprite]) -> bool:
    hidden = np.zeros(stack[0].part.shape, bool)
    for item in reversed(stack):
        if (item.mask & ~hidden).sum() < LEAST_SEEN * item.area:
            return False
        if (item.part & ~hidden).sum() < LEAST_SEEN * item.part_area:
            return False
        hidden |= item.mask
    return True


def _finished(background: np.ndarray, placed: list[Sprite], rng: np.random.Generator) -> Scene:
    image = background
    owner = np.full(background.shape[:2], -1)
    for number, item in enumerate(placed):
        image += (item.colour - image) * item.alpha[..., None]
        owner[item.mask] = number
    return Scene(
        image=_photographed(image, rng),
        owner=owner,
        names=tuple(item.name for item in placed),
        cut=tuple(int(item.mask.sum()) < item.area for item in placed),
    )


def _background(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw a textured background: float32 RGB (H, W, 3), around 0..1."""
    height, width = size
    colours = [random_colour(rng) for _ in range(2)]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(size)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    kind = rng.integers(4)
    if kind == 0:  # clouds
        octaves = [_noise(size, cells, rng) / cells**0.5 for cells in (3, 6, 12, 24)]
        mix = 0.5 + 0.6 * np.sum(octaves, axis=0)
    elif kind == 1:  # a gradient
        mix = 0.5 + rng.uniform(0.6, 1) * along
    elif kind == 2:  # stripes, bent by noise
        bend = 0.08 * _noise(size, 4, rng)
        mix = 0.5 + 0.4 * np.sin(2 * np.pi * rng.uniform(4, 14) * (along + bend))
    else:  # two regions, like sky and ground
        edge = along - along.mean() + 0.1 * _noise(size, 4, rng)
        mix = np.clip(0.5 + 12 * edge, 0, 1)
    mix = np.clip(mix, 0, 1)[..., None]
    ground = colours[0] * (1 - mix) + colours[1] * mix
    for cells in (5, 16, 48, 96):
        ground = ground + rng.uniform(0.01, 0.09) * _noise(size, cells, rng)[..., None]
    return ground.astype(np.float32)


def _noise(size: tuple[int, int], cells: int, rng: np.random.Generator) -> np.ndarray:
    """Draw smooth noise of mean 0 and standard deviation about 1, `cells` across the image."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def _add_clutter(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw clutter that belongs to no class: plain pieces like bodies, sticks and corners."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(2, 10)):
        layer = np.zeros((height, width), np.uint8)
        centre = (rng.random(2) * (width, height)).astype(int)
        length = min(height, width) * rng.uniform(0.05, 0.4)
        angle = rng.uniform(0, 360)
        shape = rng.integers(3)
        if shape == 0:
            axes = (int(length / 2) + 1, int(length / 2 * rng.uniform(0.3, 1)) + 1)
            cv2.ellipse(layer, centre.tolist(), axes, angle, 0, 360, 255, -1, cv2.LINE_AA)
        elif shape == 1:
            corners = centre + rng.uniform(-0.5, 0.5, (rng.integers(3, 7), 2)) * length
            hull = cv2.convexHull(corners.astype(np.int32))
            cv2.fillConvexPoly(layer, hull, 255, cv2.LINE_AA)
        else:
            end = centre + 1.5 * length * np.array([np.cos(angle), np.sin(angle)])
            thickness = int(rng.integers(1, 5))
            cv2.line(layer, centre.tolist(), end.astype(int).tolist(), 255, thickness, cv2.LINE_AA)
        cover = (layer * np.float32(rng.uniform(0.5, 1) / 255))[..., None]
        grain = rng.uniform(0.01, 0.1) * _noise((height, width), 40, rng)[..., None]
        image += (random_colour(rng) + grain - image) * cover


def _photographed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply uneven light, a colour cast, gamma, blur and sensor noise."""
    height, width = image.shape[:2]
    light = cv2.resize(rng.uniform(0.7, 1.2, (2, 2)).astype(np.float32), (width, height))
    cast = rng.uniform(0.9, 1.1, 3).astype(np.float32)
    image = np.clip(image * light[..., None] * cast, 0, 1) ** rng.uniform(0.8, 1.25)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.8))
    image = image + rng.normal(0, rng.uniform(0.005, 0.03), image.shape)
    return np.clip(np.round(image * 255), 0, 255).astype(np.uint8)
