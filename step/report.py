"""Write the report: one page of all results on disk, for any browser."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.evaluate.details import read_details
from misc.files.atomic import write_bytes
from misc.files.dataset import Dataset
from misc.files.palette import class_entries
from misc.machine.device import compute_of
from misc.run.label_synthesis import load_irnet
from misc.run.log import logger
from misc.run.open_dataset import evaluated_ids, image_labels
from misc.run.stage import supervised_path
from misc.run.workers import map_images
from misc.settings.config import Config
from misc.train.curves import curve_path, read_curves
from misc.view import report
from misc.view.gallery import choose_images
from misc.view.layers import (
    image_layers,
    instance_sources,
    irnet_fields,
    learnt_from,
    semantic_sources,
)
from misc.view.plots import bar_chart, confusion_chart, line_chart
from misc.view.run_facts import changed_settings, measure_rows
from step import STAGES

# By measure: what has it by class, and the evaluation that measures it.
MEASURED = {
    "IoU": {"CAM": "eval_cam", "semantic labels": "eval_sem_seg", "DeepLab": "eval_deeplab"},
    "AP50": {
        "CAM components": "eval_cam",
        "instance labels": "eval_ins_seg",
        "Mask R-CNN": "eval_mask_rcnn",
    },
}
CAUTION = (
    "Choosing a threshold by these curves is for analysis only: labels made with it would have "
    "used ground truth, not only image-level labels."
)


def run(config: Config, dataset: Dataset) -> None:
    """Write --report_file from the stages' results on disk."""
    images = draw_images(config, dataset)
    stages = [stage.name for stage in STAGES]
    rows = measure_rows(config, stages)
    missing = [name for name in stages[:-1] if not any(name == row[0] for row in rows)]
    curves = report.figures(threshold_charts(config))
    sections = {
        "Measures": report.html_table(
            ("stage", "seconds", "measure", "split", "value", "published"), rows, numbers=(1, 4, 5)
        )
        + report.note("Seconds are those of a stage's longest run.")
        + report.note(f"No results yet: {', '.join(missing)}." if missing else ""),
        "Gallery": report.gallery(
            "The images are the worst and the best by IoU, then others to show every class."
        ),
        "Settings": report.html_table(
            ("flag", "preset", "this run", "stages"), changed_settings(config)
        ),
        "Thresholds": report.note(CAUTION) + curves if curves else "",
        "Training": report.figures(training_charts(config)),
        "Classes": report.figures(class_charts(config, dataset)),
    }
    about = f"preset {config.preset}, evaluated on {config.chainer_eval_set}"
    subtitle = f"{about}; written {time.strftime('%Y-%m-%d %H:%M')}"
    page = report.fill_page("IRNet: report of a run", subtitle, sections, images).encode()
    write_bytes(config.report_file, page)
    logger.info("%s: %d images, %.1f MB", config.report_file, len(images), len(page) / 1e6)


def draw_images(config: Config, dataset: Dataset) -> list[dict[str, Any]]:
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
        classes = class_entries(dataset.class_names, dataset.palette, labels)
        return report.page_image(image_id, image, layers, words=words, classes=classes)

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


def threshold_charts(config: Config) -> dict[str, bytes]:
    """Draw the CAMs' measures over their threshold, and take the chart of --sweep."""
    charts = {}
    if curve := read_details(config, "eval_cam").get("thresholds"):
        marks = {f"{word} {curve[word]:g}": curve[word] for word in ("used", "best")}
        name = f"--{curve['flag']}"
        charts[f"eval_cam: by {name}"] = line_chart(curve["lines"], x_label=name, marks=marks)
    sweep = Path(f"{config.sweep_name}.svg")
    if sweep.is_file():
        charts[f"--sweep, as in {sweep.stem}.md"] = sweep.read_bytes()
    return charts


def training_charts(config: Config) -> dict[str, bytes]:
    """Draw each training's curves, a chart for each loss term or measure."""
    trainings = {
        "train_cam": Path(config.cam_weights_name),
        "train_irn": Path(config.irn_weights_name),
    }
    for stage, weights in (
        ("train_mask_rcnn", config.mask_rcnn_weights_name),
        ("train_deeplab", config.deeplab_weights_name),
    ):
        for name in config.supervision:
            trainings[f"{stage}{learnt_from(name)}"] = supervised_path(weights, name)
    charts = {}
    for training, path in trainings.items():
        curves = read_curves(curve_path(path))
        for name in dict.fromkeys(name.removeprefix("val_") for name in curves):
            lines = {n: curves[n] for n in (name, f"val_{name}") if n in curves}
            charts[f"{training}: {name}"] = line_chart(lines, x_label="step")
    return charts


def class_charts(config: Config, dataset: Dataset) -> dict[str, bytes]:
    """Draw IoU and AP50 by class, and the confusion of classes."""
    names = ["background", *dataset.class_names]
    charts, confusions = {}, {}
    for measure, sources in MEASURED.items():
        series = {}
        for source, stage in sources.items():
            details = read_details(config, stage)
            if measure in details:
                series[f"{source}, {details['split']}"] = np.array(details[measure], np.float64)
            if stage != "eval_cam" and "confusion" in details:
                matrix = np.array(details["confusion"])
                seen = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
                confusions[f"Confusion of classes: {source}, {details['split']}"] = confusion_chart(
                    [names[label] for label in seen], matrix[np.ix_(seen, seen)]
                )
        if series:
            known = np.flatnonzero(~np.isnan(list(series.values())).all(axis=0))
            rows = names[len(names) - len(next(iter(series.values()))) :]
            charts[f"{measure} by class"] = bar_chart(
                [rows[row] for row in known], {name: row[known] for name, row in series.items()}
            )
    return charts | confusions


def _read_image(dataset: Dataset, image_id: str) -> np.ndarray:
    return dataset.image(image_id)
