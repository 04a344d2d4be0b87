"""The labels of images on disk: their paths, reading and writing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from misc.files.images import read_label, write_label
from misc.files.instance_files import load_instances, save_instances
from misc.files.outputs import image_files
from misc.files.palette import PALETTE_FILES, object_palette
from misc.masks import numbered_map

SURE = 0.5  # least score at which a network's detections are shown
LEAST_SCORE = 1e-5  # below it is a fragment, scored 0 for its small area (METHOD section 6)
# In their folders; {} is an image's id.
INSTANCE_FILES = ("{}.npz", *PALETTE_FILES)
SEMANTIC_FILES = ("{}.png", *PALETTE_FILES)


def write_instances(
    folder: str | Path, image_id: str, found: Mapping[str, np.ndarray], *, least_score: float = 0.0
) -> None:
    """Write an image's instance labels, and the palette picture of those with a score above 0."""
    path, coloured = instance_paths(folder, image_id)
    numbers = numbered_map(found["mask"], found["score"], least=least_score)
    write_label(coloured, numbers, palette=object_palette())
    save_instances(path, found)


def instance_path(folder: str | Path, image_id: str) -> Path:
    """Return the path of an image's instance labels."""
    return instance_paths(folder, image_id)[0]


def read_instance_labels(folder: str | Path, image_id: str) -> dict[str, np.ndarray]:
    """Read an image's instance labels; see `load_instances`."""
    return load_instances(instance_path(folder, image_id))


def read_semantic_label(folder: str | Path, image_id: str) -> np.ndarray:
    """Read an image's semantic or relation label, uint8 (H, W)."""
    return read_label(label_path(folder, image_id))


def write_semantic_label(
    folder: str | Path, image_id: str, label: np.ndarray, *, palette: np.ndarray
) -> None:
    """Write a semantic or relation label: grey last, so that where it exists the copy does, too."""
    grey, coloured = semantic_paths(folder, image_id)
    write_label(coloured, label, palette=palette)
    write_label(grey, label)


def instance_paths(folder: str | Path, image_id: str) -> list[Path]:
    """Return the paths of an image's instance labels, and of the palette picture of them."""
    return image_files(folder, INSTANCE_FILES, image_id)


def semantic_paths(folder: str | Path, image_id: str) -> list[Path]:
    """Return the paths of an image's semantic label: grey indices, and a coloured copy."""
    return image_files(folder, SEMANTIC_FILES, image_id)


def label_path(folder: str | Path, image_id: str) -> Path:
    """Return the path of an image's label."""
    return Path(folder) / f"{image_id}.png"
