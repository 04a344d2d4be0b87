"""The report's charts, from what evaluations and trainings have written."""

from pathlib import Path

import numpy as np

from misc.evaluate.details import read_details
from misc.files.dataset import Dataset
from misc.run.stage import label_source_path
from misc.settings.config import Config
from misc.train.curves import curve_path, read_curves
from misc.view.layers import LABELS_OF
from misc.view.plots import bar_chart, confusion_chart, line_chart

# By measure: what has it by class, and the evaluation that measures it.
MEASURED = {
    "IoU": {"CAM": "eval_cam", "semantic labels": "eval_sem_seg", "DeepLab": "eval_deeplab"},
    "AP50": {
        "CAM components": "eval_cam",
        "instance labels": "eval_ins_seg",
        "Mask R-CNN": "eval_mask_rcnn",
    },
}


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
            trainings[f"{stage}{LABELS_OF[name]}"] = label_source_path(weights, name)
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
            if known.size:
                charts[f"{measure} by class"] = bar_chart(
                    [rows[row] for row in known], {name: row[known] for name, row in series.items()}
                )
    return charts | confusions
