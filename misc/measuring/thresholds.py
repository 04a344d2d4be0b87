"""Which thresholds suit a method's CAMs: from their curve on ground truth, or a guess without."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from misc.argmax import winners
from misc.files.cam_files import CamFolder
from misc.files.levels import LEVELS
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.workers import collect_images

# The best threshold of the published CAMs, which their other two thresholds follow from.
PUBLISHED = 0.15


def suggested(best: float) -> dict[str, float]:
    """Return the flags that follow from the background score that suits CAMs best.

    Confident foreground is 0.15 above it, confident background 0.1 below, as the published settings
    are; between 0.01 and 0.99.
    """
    return {
        "cam_eval_thres": best,
        "conf_fg_thres": round(min(best + 0.15, 0.99), 2),
        "conf_bg_thres": round(max(best - 0.1, 0.01), 2),
    }


def suggest_thresholds(best: float) -> None:
    """Log the flags that follow from the best threshold on ground truth."""
    logger.info(
        "suggested: %s\n--conf_fg_thres may be 0.05 lower. The best threshold was chosen on ground "
        "truth: choose it on images that you do not report on, or say so. --sem_seg_bg_thres and "
        "--ins_seg_bg_thres do not follow from it: they cut the scores after the walk, whose "
        "curves eval_sem_seg and eval_ins_seg print",
        _as_flags(best),
    )


def guess_thresholds(
    dataset: Dataset, folder: CamFolder, ids: Sequence[str], *, num_workers: int
) -> None:
    """Log the flags that follow from the CAMs' own scores, and what that is worth."""
    load = partial(count_scores, dataset, folder)
    counts = collect_images(ids, load, num_workers=num_workers, description="eval_cam: scores")
    split = between_two_classes(np.sum(counts, axis=0))
    logger.info(
        "none of the %d images has ground truth: the threshold is guessed from the CAMs' scores "
        "alone, half-way from the published %.2f to where they split into the two most even groups "
        "(Otsu's method: %.2f)\nguessed: %s\nIt has been tried on drawn images alone, see "
        "docs/YOUR_CAMS.md: of 400 it lay within 0.04 of the best threshold, of ten up to 0.1 "
        "above it, where the published one was better. Look at labels of both first (--show)",
        len(ids),
        PUBLISHED,
        split,
        _as_flags(guessed(split)),
    )


def guessed(split: float) -> float:
    """Return the threshold that is guessed of CAMs whose scores split there, by Otsu's method.

    That split is too high: much of an object has low scores. Half-way to the published threshold
    it was better with the CAMs of three seeds of drawn images; docs/YOUR_CAMS.md has the figures.
    """
    return round((split + PUBLISHED) / 2, 2)


def count_scores(dataset: Dataset, folder: CamFolder, image_id: str) -> np.ndarray:
    """Count an image's pixels by how many of LEVELS their largest score exceeds: int64 (100,).

    An image without any class counts nothing.
    """
    height, width, _ = dataset.image(image_id).shape
    cams = folder.read(image_id, (height, width))
    _, best = winners(cams.high_res, 0.0)
    places = np.searchsorted(LEVELS, best.reshape(-1), side="left")
    return np.bincount(places, minlength=len(LEVELS) + 1) * bool(len(cams.keys))


def between_two_classes(counts: np.ndarray) -> float:
    """Return the one of LEVELS at which the variance between the two sides is largest (Otsu).

    Args:
        counts: (100,), pixels by how many of LEVELS their score exceeds.
    """
    scores = np.append(LEVELS - 0.005, 0.995)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    total = np.cumsum(counts * scores)
    both = np.maximum(below * above, 1e-9)
    distance = (total[:-1] * above - (total[-1] - total[:-1]) * below) / both
    return float(LEVELS[int(np.argmax(below * above * distance**2))])


def _as_flags(best: float) -> str:
    return " ".join(f"--{name} {value:.2f}" for name, value in suggested(best).items())
