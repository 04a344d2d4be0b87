"""What the labels that were made look like, counted without ground truth."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

import cv2
import numpy as np

from misc.files.cam_files import find_cams, read_cams
from misc.files.images import read_label
from misc.files.labels import LEAST_SCORE, instance_path, label_path, load_instances
from misc.imutils import IGNORE
from misc.run.workers import map_images

# Sums over images by quantity and class; ALL for the classes together.
Counts = dict[tuple[str, int], float]
ALL = -1

FLOODED, FLOODED_IMAGES = 0.8, 0.1  # part of an image that is labelled a class; share of its images
PEAK, MOST_PEAKS = 0.5, 3  # part of a CAM's largest value; more regions above it are spread
ODD_CAMS = 0.5  # share of a class's CAMs
MEASURES = (
    f"A class floods where its label covers over {FLOODED:.0%} of the image in more than "
    f"{FLOODED_IMAGES:.0%} of the images with its label. The peaks of a CAM are the separate "
    f"regions of at least {PEAK:.0%} of its largest value. CAMs are empty or spread where more "
    f"than {ODD_CAMS:.0%} of a class's have none or more than {MOST_PEAKS}."
)
SHOWN = 5  # classes in a warning


def count_labels(
    ids: Sequence[str], cam_dir: str, ins_seg_dir: str, sem_seg_dir: str, *, num_workers: int
) -> Counts:
    """Sum what images' CAMs, instance labels and semantic labels hold, as far as they are there."""
    total: Counts = defaultdict(float)
    load = partial(count_image, cam_dir, ins_seg_dir, sem_seg_dir)
    for _, counts in map_images(ids, load, num_workers=num_workers, description="statistics"):
        for key, value in counts.items():
            total[key] += value
    return total


def count_image(cam_dir: str, ins_seg_dir: str, sem_seg_dir: str, image_id: str) -> Counts:
    """Count one image's CAMs, instances and labelled area; areas are fractions of the image."""
    counts: Counts = defaultdict(float)
    if (path := label_path(sem_seg_dir, image_id)).is_file():
        label = read_label(path)
        areas = np.bincount(label.reshape(-1), minlength=IGNORE)[1:IGNORE] / label.size
        of_classes = {int(class_id): areas[class_id] for class_id in np.flatnonzero(areas)}
        for class_id, area in {**of_classes, ALL: areas.sum()}.items():
            counts["labels", class_id] = 1
            counts["area", class_id] = area
            counts["squared area", class_id] = area**2
            counts["flooded", class_id] = area > FLOODED
    if (path := instance_path(ins_seg_dir, image_id)).is_file():
        found = load_instances(path)
        kept = found["score"] >= LEAST_SCORE
        counts["instance labels", ALL] = 1
        counts["fragments alone", ALL] = len(kept) > 0 and not kept.any()
        for class_id, mask in zip(found["class"][kept].tolist(), found["mask"][kept], strict=True):
            for key in (class_id, ALL):
                counts["instances", key] += 1
                counts["instance area", key] += mask.mean()
    with suppress(FileNotFoundError):
        cams = read_cams(find_cams(cam_dir, image_id))
        for class_id, cam in zip(cams.keys.tolist(), cams.cam, strict=True):
            high = (cam >= PEAK * cam.max()) & (cam > 0)
            peaks = cv2.connectedComponents(high.astype(np.uint8))[0] - 1
            for key in (class_id, ALL):
                counts["CAMs", key] += 1
                counts["peaks", key] += peaks
                counts["empty", key] += peaks == 0
                counts["spread", key] += peaks > MOST_PEAKS
    return counts


def label_warnings(
    counts: Counts, class_names: Sequence[str], *, background_walks: bool
) -> Iterator[str]:
    """Yield a line for each way in which the labels look wrong, and the flag that changes it."""

    def classes(what: str, of: str, least: float) -> str:
        """Name the classes of more than a share of whose images a quantity is true."""
        names = dict(enumerate(class_names))
        shares = {c: (counts[what, c], counts[of, c]) for c in names}
        found = [c for c, (part, whole) in shares.items() if part > least * whole]
        found.sort(key=lambda c: -shares[c][0])
        words = [
            f"{names[c]} in {shares[c][0]:.0f} of its {shares[c][1]:.0f} images"
            for c in found[:SHOWN]
        ]
        more = f" and {len(found) - SHOWN} more classes" if len(found) > SHOWN else ""
        return ", ".join(words) + more

    if flooded := classes("flooded", "labels", FLOODED_IMAGES):
        remedy = "higher --sem_seg_bg_thres or --ins_seg_bg_thres"
        yield (
            f"labels flood over {FLOODED:.0%} of the image: {flooded}; a "
            f"{'lower --walk_background' if background_walks else remedy} labels less"
        )
    for what, words in ("empty", "empty"), ("spread", f"spread, with more than {MOST_PEAKS} peaks"):
        if odd := classes(what, "CAMs", ODD_CAMS):
            yield (
                f"CAMs are {words}: {odd}; the classification network may need more "
                "--cam_num_epoches, or more images"
            )
    if alone := counts["fragments alone", ALL]:
        yield (
            f"{alone:.0f} of {counts['instance labels', ALL]:.0f} images have no instance, as all "
            "that was found is smaller than --ins_seg_min_area; a lower one keeps it"
        )
