"""The breakdown of the measures: curves over the threshold, classes, confusions, images.

An evaluation writes it to --details_dir as JSON; the report draws it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import write_json
from misc.metrics import iou_per_class, mean_iou
from misc.run.log import logger, table
from misc.settings.config import Config

Details = Mapping[str, Any]
Line = tuple[Sequence[float], Sequence[float]]


def plain(values: np.ndarray) -> Any:
    """Convert an array to nested lists for JSON; NaN becomes None, as JSON has no NaN."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else round(float(values), 5)


def threshold_details(flag: str, used: float, lines: Mapping[str, Line]) -> dict[str, Any]:
    """Log the first line's measure over a threshold and its best, and return the breakdown.

    Args:
        flag: that of the threshold.
        used: its value in this run.
        lines: for each measure the thresholds and its values there; the first decides the best.
    """
    measure, (thresholds, values) = next(iter(lines.items()))
    shown = [
        (f"{x:.2f}", f"{y:.4f}")
        for x, y in zip(thresholds, values, strict=True)
        if round(100 * x) % 5 == 0
    ]
    logger.info("%s by --%s:\n%s", measure, flag, table([("threshold", measure), *shown]))
    best = max(range(len(values)), key=lambda place: values[place])
    logger.info(
        "best --%s: %.2f with %s %.4f (used: %s). Chosen on ground truth, it is for analysis only: "
        "labels made with it would have used more than image-level supervision",
        flag,
        thresholds[best],
        measure,
        values[best],
        f"{used:g}",
    )
    return {
        "flag": flag,
        "used": used,
        "best": float(thresholds[best]),
        "lines": {name: plain(np.array(line)) for name, line in lines.items()},
    }


@dataclass(frozen=True)
class Confusions:
    """The confusions of images, added up on the way: 81² numbers each, 80,000 would take 4 GB.

    Attributes:
        total: int64 (n, n), of all images; rows are true labels.
        images: the mean IoU of each image; None where nothing was counted.
    """

    total: np.ndarray
    images: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(cls, num_labels: int) -> "Confusions":
        """Return those of no image; the number of labels includes the background."""
        return cls(np.zeros((num_labels, num_labels), np.int64))

    def add(self, image_id: str, count: np.ndarray) -> float | None:
        """Add the confusion of an image, int64 (n, n), and return the image's mean IoU."""
        self.total[...] += count
        self.images[image_id] = plain(mean_iou(count))
        return self.images[image_id]


def semantic_details(found: Confusions) -> dict[str, Any]:
    """Return the breakdown of a mean IoU."""
    return {
        "IoU": plain(iou_per_class(found.total)),
        "confusion": found.total.tolist(),
        "images": found.images,
    }


def network_details(stage: str, supervision: str) -> str:
    """Return the name of a network's breakdown, by its supervision; `irn` has the plain name."""
    return stage if supervision == "irn" else f"{stage}_{supervision}"


def write_details(config: Config, stage: str, details: Details, *, split: str = "") -> None:
    """Write the breakdown of a stage's measures on a split.

    The split is --chainer_eval_set by default.
    """
    content = {"stage": stage, "split": split or config.chainer_eval_set, **details}
    write_json(details_path(config, stage), content)


def read_details(config: Config, stage: str) -> dict[str, Any]:
    """Read the breakdown of a stage's measures; empty where the stage has not run."""
    path = details_path(config, stage)
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not readable ({error}); its stage writes it again") from error
    return dict(content)


def details_path(config: Config, stage: str) -> Path:
    """Return the path of a stage's breakdown."""
    return Path(config.details_dir) / f"{stage}.json"


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
        "--ins_seg_bg_thres do not follow from it: they cut the scores after the walk; --sweep "
        "measures labels over them",
        " ".join(f"--{name} {value:.2f}" for name, value in suggested(best).items()),
    )
