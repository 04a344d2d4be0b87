"""Score levels: all that an image's labels at any background threshold need, in a small file.

From them a label is recomputed at any hundredth, exactly, without a network: for the curve of a
measure over its threshold.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from misc.argmax import winners
from misc.files.atomic import atomic_path

LEVELS = np.round(np.arange(0.01, 1.0, 0.01), 2)


@dataclass(frozen=True, kw_only=True)
class ScoreLevels:
    """Which score map wins each pixel of an image, and how many of LEVELS its score exceeds.

    Attributes:
        index: int32 (H, W), the winning map's number from 1 on; 0 where no score is above 0.
        level: uint8 (H, W), 0..99.
        classes: int64 (M,), the class of each map, 0-based.
        peaks: float32 (H, W), the exact score where no 4-neighbour of the same map has a larger
            one, 0 elsewhere: they hold the largest score inside each component.
    """

    index: np.ndarray
    level: np.ndarray
    classes: np.ndarray
    peaks: np.ndarray

    def winners(self, number: int) -> np.ndarray:
        """Return the argmax with a background of LEVELS[number]: int32 (H, W), 0 background."""
        return np.where(self.level > number, self.index, 0)


def score_levels(
    scores: np.ndarray | torch.Tensor, classes: Sequence[int] | np.ndarray
) -> ScoreLevels:
    """Reduce the score maps (M, H, W) of an image, each of one class, to their levels."""
    return winner_levels(*winners(scores, 0.0), classes)


def winner_levels(
    index: np.ndarray, best: np.ndarray, classes: Sequence[int] | np.ndarray
) -> ScoreLevels:
    """Reduce the winners of an image's score maps and a background of 0 to their levels."""
    level = np.searchsorted(LEVELS.astype(np.float32), best, side="left").astype(np.uint8)
    highest = level > 0
    for near, far in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        same = index[near] == index[far]
        highest[near] &= ~(same & (best[far] > best[near]))
        highest[far] &= ~(same & (best[near] > best[far]))
    return ScoreLevels(
        index=index,
        level=level,
        classes=np.asarray(classes, dtype=np.int64),
        peaks=np.where(highest, best, np.float32(0)),
    )


def levels_path(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Return the path of an image's levels, in the folder of its labels."""
    return Path(folder) / "levels" / f"{image_id}.npz"


def save_levels(path: str | os.PathLike[str], levels: ScoreLevels) -> None:
    """Write an image's levels as a compressed .npz; the bytes are deterministic."""
    places = np.flatnonzero(levels.peaks)
    numbers = levels.index.astype(np.uint16)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            # Differences along the rows: smooth maps compress to a third.
            index=np.diff(numbers, axis=1, prepend=np.uint16(0)),
            level=np.diff(levels.level, axis=1, prepend=np.uint8(0)),
            classes=levels.classes,
            places=places.astype(np.int32),
            peaks=levels.peaks.reshape(-1)[places],
        )


def load_levels(path: str | os.PathLike[str]) -> ScoreLevels:
    """Read an image's levels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is broken, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            index = np.cumsum(stored["index"], axis=1, dtype=np.uint16).astype(np.int32)
            level = np.cumsum(stored["level"], axis=1, dtype=np.uint8)
            peaks = np.zeros(level.shape, np.float32)
            peaks.reshape(-1)[stored["places"]] = stored["peaks"]
            return ScoreLevels(index=index, level=level, classes=stored["classes"], peaks=peaks)
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything on a broken file
        raise ValueError(f"{path}: not a file of score levels ({error})") from error
