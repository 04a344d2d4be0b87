"""A small folder shaped like the real Cityscapes: its layout, its names, its kinds of PNG."""

import numpy as np
from PIL import Image

TRAIN = ["aachen_000000_000019", "aachen_000001_000019", "bochum_000000_000313"]
VAL = ["frankfurt_000000_000294", "lindau_000003_000019"]
TEST = ["berlin_000000_000019"]
SPLITS = {"train": TRAIN, "val": VAL, "test": TEST}
SIZE = (72, 144)
ROAD, SKY, PERSON, CAR, CARAVAN = 7, 23, 24, 26, 29
COLOURS = {ROAD: 90, SKY: 200, PERSON: 30, CAR: 150, CARAVAN: 240}


def make_cityscapes(folder):
    """Make leftImg8bit and gtFine in a folder; return it."""
    for split, ids in SPLITS.items():
        for image_id in ids:
            numbers = instance_ids(image_id)
            write_image(folder, split, image_id, photograph(numbers, image_id))
            if split == "test":  # its truth is withheld
                numbers = np.zeros_like(numbers)
            write_truth(folder, split, image_id, numbers)
    return folder


def path(folder, kind, split, image_id):
    """Return the path of one of an image's files."""
    where = kind.split("_")[0]
    return folder / where / split / image_id.split("_")[0] / f"{image_id}_{kind}.png"


def write_image(folder, split, image_id, image):
    _write(path(folder, "leftImg8bit", split, image_id), image)


def write_truth(folder, split, image_id, numbers):
    labels = np.where(numbers >= 1000, numbers // 1000, numbers).astype(np.uint8)
    _write(path(folder, "gtFine_labelIds", split, image_id), labels)
    _write(path(folder, "gtFine_instanceIds", split, image_id), numbers.astype(np.uint16))


def instance_ids(image_id):
    """Draw a street: sky, road, two cars, a person, a group of persons, a caravan, a void rim."""
    height, width = SIZE
    rng = np.random.default_rng(sum(map(ord, image_id)))
    numbers = np.full(SIZE, SKY)
    numbers[height // 2 :] = ROAD
    shift = int(rng.integers(width // 12))
    _box(numbers, (0.45, 0.75), (0.05, 0.30), shift, CAR * 1000)
    _box(numbers, (0.50, 0.85), (0.35, 0.55), shift, CAR * 1000 + 1)
    _box(numbers, (0.35, 0.85), (0.60, 0.68), shift, PERSON * 1000)
    _box(numbers, (0.40, 0.60), (0.72, 0.80), shift, PERSON)
    _box(numbers, (0.40, 0.55), (0.84, 0.90), shift, CARAVAN * 1000)
    numbers[-height // 12 :] = 1  # the ego vehicle
    return numbers


def photograph(numbers, image_id):
    """Paint each class in a grey of its own, with noise: uint8 (H, W, 3)."""
    rng = np.random.default_rng(len(image_id))
    owners = np.where(numbers >= 1000, numbers // 1000, numbers)
    grey = sum(value * (owners == label_id) for label_id, value in COLOURS.items())
    noise = rng.integers(0, 16, (*numbers.shape, 3))
    return (grey[..., None] * [1.0, 0.8, 0.6] + noise).clip(0, 255).astype(np.uint8)


def _box(numbers, rows, columns, shift, value):
    height, width = numbers.shape
    top, bottom = (int(height * side) for side in rows)
    left, right = (int(width * side) + shift for side in columns)
    numbers[top:bottom, left:right] = value


def _write(where, array):
    where.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(where)
