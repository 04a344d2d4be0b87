"""Results as the published program keeps them, a pickled dict each: for programs built on it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.cams import CAMs
from misc.files.atomic import atomic_path

FILE = "{}.npy"  # {} is an image's id


def save_cams(path: Path, cams: CAMs) -> None:
    """Write the CAMs of an image.

    The dict has `keys` and `cam` as tensors, int64 (K,) and float32 (K, h, w), and `high_res` as an
    array, float32 (K, H, W).
    """
    keys, cam = torch.from_numpy(cams.keys), torch.from_numpy(cams.cam)
    _save(path, {"keys": keys, "cam": cam, "high_res": cams.high_res})


def save_instances(path: Path, detections: Mapping[str, np.ndarray]) -> None:
    """Write an image's detections: `score` float32 (N,), `mask` bool (N, H, W), `class` (N,)."""
    _save(path, {name: np.asarray(detections[name]) for name in ("score", "mask", "class")})


def _save(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(content), allow_pickle=True)
