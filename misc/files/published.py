"""Results as the published program keeps them, a pickled dict each: for programs built on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.cams import combine_scales
from misc.files.atomic import atomic_path

FILE = "{}.npy"  # {} is an image's id


def save_cams(
    path: Path, *, keys: np.ndarray, maps: Sequence[np.ndarray], size: tuple[int, int]
) -> None:
    """Write the CAMs of an image; see `combine_scales` for the arguments.

    The dict has `keys` and `cam` as tensors, int64 (K,) and float32 (K, h, w), and `high_res` as an
    array, float32 (K, H, W).
    """
    cam, high_res = combine_scales([torch.from_numpy(scale) for scale in maps], size)
    _save(path, {"keys": torch.from_numpy(keys), "cam": cam, "high_res": high_res.numpy()})


def save_instances(path: Path, detections: Mapping[str, np.ndarray]) -> None:
    """Write an image's detections: `score` float32 (N,), `mask` bool (N, H, W), `class` (N,)."""
    _save(path, {name: np.asarray(detections[name]) for name in ("score", "mask", "class")})


def _save(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(content), allow_pickle=True)
