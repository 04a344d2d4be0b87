"""The report's section on the labels that were made, which needs no ground truth."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from PIL import Image

from misc.evaluate.statistics import ALL, MEASURES, Counts, count_labels, label_warnings
from misc.files.dataset import Dataset
from misc.files.images import encode_jpeg
from misc.files.labels import instance_paths, semantic_paths
from misc.run.understood import spread
from misc.run.workers import map_images
from misc.settings.config import Config
from misc.train.curves import curve_path, read_curves
from misc.view import page

COUNTED = 2000  # images, at most: of 80,000 it would take an hour
SIDE = 160  # the longer one of a small picture, pixels
HEAD = "class", "CAMs", "peaks", "semantic labels", "area", "instances", "area of each"
COLUMNS = (
    "CAMs and semantic labels: images. Peaks: of a CAM, mean. Area: part of the image that is "
    "labelled, mean and standard deviation over the semantic labels with the class."
)
SHEET = "Images of --infer_list: a colour for each instance; without instance labels, each class."


def label_section_from(config: Config, dataset: Dataset) -> tuple[str, list[str]]:
    """Return the section as HTML, empty without labels, and the warnings in it."""
    try:
        every = dataset.split(config.infer_list)
    except FileNotFoundError:  # only another list was evaluated
        return "", []
    ids = spread(every, COUNTED)
    workers, folders = config.num_workers, (config.ins_seg_out_dir, config.sem_seg_out_dir)
    counts = count_labels(ids, config.cam_out_dir, *folders, num_workers=workers)
    if not counts["labels", ALL] and not counts["instance labels", ALL]:
        return "", []
    names, walks = dataset.class_names, config.walk_background > 0
    warnings = list(label_warnings(counts, names, background_walks=walks))
    _, precision = read_curves(curve_path(config.cam_weights_name)).get("val_mAP", ((), ()))
    found = f"The classification network's last val_mAP, on {config.val_list}: "
    draw = partial(small_picture, dataset, *folders)
    shown = spread(ids, 4 * config.report_images)
    sheet = map_images(shown, draw, num_workers=workers, description="small pictures")
    parts = [
        page.paragraph(f"{found}{precision[-1]:.3f}." if precision else ""),
        *(page.paragraph(f"Warning: {warning}.") for warning in warnings),
        page.paragraph(f"{len(ids)} of {len(every)} images are counted. {COLUMNS} {MEASURES}"),
        page.html_table(HEAD, list(class_rows(counts, names))),
        page.paragraph(SHEET),
        page.picture_row(page.figure(name, "jpeg", content) for name, content in sheet),
    ]
    return "\n".join(parts), warnings


def class_rows(counts: Counts, class_names: Sequence[str]) -> Iterator[list[str]]:
    """Yield a row of `HEAD` for all classes together, and for each class that was looked for."""
    for class_id, name in {ALL: "all", **dict(enumerate(class_names))}.items():
        cams, labels, instances = (
            counts[what, class_id] for what in ("CAMs", "labels", "instances")
        )
        row = [name, f"{cams:.0f}", "", f"{labels:.0f}", "", f"{instances:.0f}", ""]
        if cams:
            row[2] = f"{counts['peaks', class_id] / cams:.1f}"
        if labels:
            area = counts["area", class_id] / labels
            variance = counts["squared area", class_id] / labels - area**2
            row[4] = (
                f"{area:.0%}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{math.sqrt(max(variance, 0)):.0%}"
            )
        if instances:
            row[6] = f"{counts['instance area', class_id] / instances:.0%}"
        if cams or labels or instances:
            yield row


def small_picture(dataset: Dataset, ins_seg_dir: str, sem_seg_dir: str, image_id: str) -> bytes:
    """Draw an image small, under its instance label or, without one, its semantic label; JPEG."""
    small = Image.fromarray(dataset.image(image_id))
    small.thumbnail((SIDE, SIDE))
    coloured = [instance_paths(ins_seg_dir, image_id)[1], semantic_paths(sem_seg_dir, image_id)[1]]
    if there := [path for path in coloured if path.is_file()]:
        with Image.open(there[0]) as file:
            label = file.resize(small.size, Image.Resampling.NEAREST)
        mixed = Image.blend(small, label.convert("RGB"), 0.65)
        small.paste(mixed, mask=Image.fromarray(np.asarray(label) > 0))
    return encode_jpeg(np.asarray(small), quality=75)
