"""Write the report: one page of all results on disk, for any browser."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.atomic import write_bytes
from misc.files.palette import class_entries, css_colour
from misc.learning.curves import curve_path, read_curves
from misc.looking.charts import bar_chart, confusion_chart, line_chart
from misc.looking.gallery import choose_images
from misc.looking.layers import (
    image_layers,
    instance_sources,
    irnet_fields,
    learnt_from,
    semantic_sources,
)
from misc.looking.report import cards, data_uri, fill_page, html_table, page_layer
from misc.looking.run_facts import changed_settings, measure_rows
from misc.machine.device import compute_of
from misc.measuring.details import read_details, threshold_chart
from misc.running.dataset import Dataset
from misc.running.label_synthesis import load_irnet
from misc.running.log import logger
from misc.running.open_dataset import evaluated_ids, image_labels
from misc.running.stage import supervised_path
from misc.running.workers import map_images
from misc.settings.config import Config
from step import STAGES

# Sources of per-class values, side by side: a name, and the breakdown that holds them.
IOU_SOURCES = (
    ("CAM", "eval_cam"),
    ("semantic labels", "eval_sem_seg"),
    ("DeepLab", "eval_deeplab"),
)
AP_SOURCES = (
    ("CAM components", "eval_cam"),
    ("instance labels", "eval_ins_seg"),
    ("Mask R-CNN", "eval_mask_rcnn"),
)
CONFUSIONS = ("eval_sem_seg", "eval_deeplab")


def trainings(config: Config) -> list[tuple[str, Path]]:
    """Return the trainings, each with the weights beside its curves."""
    networks = [
        (f"{stage}{learnt_from(name)}", supervised_path(weights, name))
        for stage, weights in (
            ("train_mask_rcnn", config.mask_rcnn_weights_name),
            ("train_deeplab", config.deeplab_weights_name),
        )
        for name in config.supervision
    ]
    labels = [("train_cam", config.cam_weights_name), ("train_irn", config.irn_weights_name)]
    return [*((name, Path(weights)) for name, weights in labels), *networks]


def run(config: Config, dataset: Dataset) -> None:
    """Write --report_file from the stages' results on disk."""
    images = gallery(config, dataset)
    settings = changed_settings(config)
    reasons = "The images are the worst and the best by IoU, then others to show every class."
    preset = f"preset {config.preset}, evaluated on {config.chainer_eval_set}"
    parts = {
        "title": "IRNet: report of a run",
        "subtitle": f"{preset}; written {time.strftime('%Y-%m-%d %H:%M')}",
        "measures": html_table(
            ("stage", "seconds", "measure", "value", "reference"),
            measure_rows(config, [stage.name for stage in STAGES]),
            numbers=(1, 3),
        )
        + '<p class="soft">Seconds are those of a stage\'s longest run: a run that finds its work '
        "done takes none.</p>",
        "settings": html_table(("flag", "preset", "this run"), settings) if settings else "None.",
        "thresholds": cards(
            threshold_charts(config),
            "No curve yet: the stage eval_cam and --sweep draw them.",
        ),
        "training": cards(training_charts(config), "No curve yet: the trainings write them."),
        "gallery_note": reasons,
        "classes": cards(
            class_charts(config, dataset), "No measure by class yet: the evaluations write them."
        ),
    }
    page = fill_page(parts, images).encode()
    write_bytes(config.report_file, page)
    logger.info("%s: %d images, %.1f MB", config.report_file, len(images), len(page) / 1e6)


def gallery(config: Config, dataset: Dataset) -> list[dict[str, Any]]:
    """Draw the gallery's images, each with the overlays of every stage that has run."""
    chosen, scores = gallery_images(config, dataset)
    keys = image_labels(dataset, list(chosen))
    compute = compute_of(config)
    model = load_irnet(config, compute) if Path(config.irn_weights_name).is_file() else None

    def process(image_id: str, image: np.ndarray) -> dict[str, Any]:
        fields = None if model is None else irnet_fields(model, compute, image)
        layers = image_layers(config, dataset, image_id, fields)
        iou = scores.get(image_id)
        words = chosen[image_id] + ("" if iou is None else f", IoU {iou:.3f}")
        labels = [int(key) + 1 for key in keys[image_id]]
        names = class_entries(dataset.class_names, dataset.palette, labels)
        return {
            "id": image_id,
            "words": words,
            "classes": [(name, css_colour(colour)) for name, colour in names],
            "size": image.shape[1::-1],
            "photo": data_uri(image),
            "layers": [page_layer(None), *map(page_layer, layers)],
        }

    results = map_images(
        list(chosen),
        partial(_read_image, dataset),
        process=process,
        num_workers=compute.num_workers,
        description="report",
    )
    return [entry for _, entry in results]


def gallery_images(config: Config, dataset: Dataset) -> tuple[dict[str, str], dict[str, float]]:
    """Choose the gallery's images: for each the reason; and their IoU where known.

    A quarter are of --val_list if a network that was trained on the labels is evaluated there.
    """
    networks = [folder for _, folder, _ in instance_sources(config)[1:]]
    networks += [folder for _, folder in semantic_sources(config)[1:]]
    from_val = config.report_images // 4 if any(folder.is_dir() for folder in networks) else 0
    lists = [
        (evaluated_ids(config, dataset) or dataset.split(config.infer_list), "eval_sem_seg"),
        (dataset.split(config.val_list) if from_val else [], "eval_deeplab"),
    ]
    chosen: dict[str, str] = {}
    scores: dict[str, float] = {}
    counts = (config.report_images - from_val, from_val)
    for (ids, stage), count in zip(lists, counts, strict=True):
        known = read_details(config, stage).get("images", {})
        found = choose_images(ids, image_labels(dataset, ids), known, count)
        where = " of what the networks were measured on" if stage == "eval_deeplab" else ""
        chosen |= {image_id: why + where for image_id, why in found.items()}
        scores |= {image_id: known[image_id] for image_id in found if image_id in known}
    return chosen, scores


def training_charts(config: Config) -> list[str]:
    """Draw each training's curves, a chart for each loss term or measure."""
    charts = []
    for stage, weights in trainings(config):
        curves = read_curves(curve_path(weights))
        for name in dict.fromkeys(name.removeprefix("val_") for name in curves):
            lines = {n: curves[n] for n in (name, f"val_{name}") if n in curves}
            charts.append(line_chart(f"{stage}: {name}", lines, x_label="step"))
    return charts


def threshold_charts(config: Config) -> list[str]:
    """Draw the CAMs' measures over their threshold, and take the chart of --sweep."""
    details, swept = read_details(config, "eval_cam"), Path(f"{config.sweep_name}.svg")
    charts = [threshold_chart("eval_cam", details)] if "thresholds" in details else []
    return charts + ([swept.read_text(encoding="utf-8")] if swept.is_file() else [])


def class_charts(config: Config, dataset: Dataset) -> list[str]:
    """Draw IoU and AP50 by class, and the confusion of classes."""
    names = ["background", *dataset.class_names]
    charts = []
    for title, key, sources, first in (
        ("IoU by class", "IoU", IOU_SOURCES, 0),
        ("AP50 by class", "AP50", AP_SOURCES, 1),
    ):
        found = {n: d for n, s in sources if key in (d := read_details(config, s))}
        series = [f"{name}, {details['split']}" for name, details in found.items()]
        values = [details[key] for details in found.values()]
        if series:
            bars = _bars(names[first:], values, dataset.palette[first:])
            charts.append(bar_chart(title, bars, series))
    for name, stage in IOU_SOURCES:
        details = read_details(config, stage)
        if stage in CONFUSIONS and "confusion" in details:
            matrix = np.array(details["confusion"])
            seen = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
            title = f"Confusion of classes: {name}, {details['split']}"
            charts.append(
                confusion_chart(title, [names[i] for i in seen], matrix[np.ix_(seen, seen)])
            )
    return charts


def _bars(
    names: Sequence[str], values: Sequence[Sequence[float | None]], colours: np.ndarray
) -> list[tuple[str, str, list[float]]]:
    """Return name, colour and values of each label that has any; of each its own colour."""
    rows = zip(names, colours, zip(*values, strict=True), strict=False)
    return [
        (name, css_colour(colour), [np.nan if v is None else v for v in row])
        for name, colour, row in rows
        if any(value is not None for value in row)
    ]


def _read_image(dataset: Dataset, image_id: str) -> np.ndarray:
    return dataset.image(image_id)
