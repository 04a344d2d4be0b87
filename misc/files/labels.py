"""The labels of images on disk: their paths, reading and writing; masks in run lengths."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import atomic_path
from misc.files.images import read_label, write_label
from misc.files.outputs import image_files
from misc.files.palette import PALETTE_FILES, object_palette
from misc.files.safe_pickles import write_npy_object
from misc.masks import numbered_map, run_lengths

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


def save_instances(path: str | os.PathLike[str], detections: Mapping[str, np.ndarray]) -> None:
    """Write an image's detections: `score` float32 (N,), `mask` bool (N, H, W), `class` int64 (N,).

    The file is a compressed .npz of `score`, `class`, `shape` = (N, H, W) and `runs`: the lengths
    of the runs of equal values in the flattened masks, the first of them of False.
    """
    masks = np.asarray(detections["mask"], dtype=bool)
    members: dict[str, Any] = {
        "score": np.asarray(detections["score"], dtype=np.float32),
        "class": np.asarray(detections["class"], dtype=np.int64),
        "shape": np.array(masks.shape, dtype=np.int64),
        "runs": run_lengths(masks),
    }
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **members)


def load_instances(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read an image's detections, with the names and dtypes of `save_instances`."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as stored:
            score = stored["score"].astype(np.float32, casting="same_kind")
            classes = stored["class"].astype(np.int64, casting="same_kind")
            runs = stored["runs"].astype(np.uint32, casting="same_kind")
            count, height, width = (int(side) for side in stored["shape"])
        fits = score.shape == classes.shape == (count,) and runs.ndim == 1
        if not fits or int(runs.sum(dtype=np.float64)) != count * height * width:
            raise ValueError("its arrays do not fit each other")
        mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(count, height, width)
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything on a broken file
        raise ValueError(f"{path}: not a file of instances ({error})") from error
    return {"score": score, "mask": mask, "class": classes}


def save_published_instances(path: Path, detections: Mapping[str, np.ndarray]) -> None:
    """Write detections as the published program does: a pickled dict of the arrays, masks whole."""
    write_npy_object(path, {key: np.asarray(detections[key]) for key in ("score", "mask", "class")})
