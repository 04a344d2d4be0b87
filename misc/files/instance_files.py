"""Files of an image's detections, with run-length encoded masks."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import atomic_path
from misc.masks import run_lengths


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
