"""How a command runs, what it shows, and what is predicted."""

import os
from dataclasses import dataclass

from misc.settings.data_settings import PRESETS
from misc.settings.declare import in_demo, place, setting
from misc.settings.rules import A_FILE, NOT_EMPTY, NOT_NEGATIVE, POSITIVE, SEED, UNIT, one_of
from misc.settings.stage_names import NETWORKS, TRAININGS


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a command runs."""

    preset: str = setting(
        "voc12",
        "named set of defaults; that of the data set, if not given",
        rule=one_of(*PRESETS),
        group="Run",
    )
    settings: str | None = setting(
        None, "repeat a run from the JSON of its settings; flags override it", rule=NOT_EMPTY
    )
    device: str = setting("auto", "where networks run", rule=one_of("auto", "cpu", "cuda", "mps"))
    precision: str = setting(
        "fp32",
        "precision of the networks; auto is bf16 where the device computes it natively, tf32 is "
        "fp32 with inputs of products rounded to TF32 (CUDA)",
        rule=one_of("fp32", "tf32", "bf16", "auto"),
        presets=in_demo("auto"),
        shapes=NETWORKS,
    )
    num_workers: int = setting(
        os.cpu_count() or 1, "loader processes; 0 loads in the main process", rule=NOT_NEGATIVE
    )
    seed: int = setting(
        0,
        "random seed of initial weights, sampling and augmentation",
        rule=SEED,
        shapes=TRAININGS,
    )
    run_dir: str = setting("", "folder prepended to every output path that no flag names")
    checkpoint_every: float = setting(
        60, "seconds of training between checkpoints", rule=NOT_NEGATIVE
    )
    overwrite: bool = setting(
        False, "replace results of this program made with other settings, and nothing else"
    )
    log_name: str = place(
        "sample_train_eval",
        "the log is written to this name with .log appended, the settings with .settings.json",
    )
    metrics_file: str = place("result/metrics.jsonl", "one JSON line per measure", rule=A_FILE)
    details_dir: str = place(
        "result/details", "breakdown of the measures: curves, classes and images"
    )
    tensorboard: bool = setting(False, "write the training curves for TensorBoard too")
    tensorboard_dir: str = place("result/tensorboard", "folder of TensorBoard's files")


@dataclass(frozen=True, kw_only=True)
class LookingSettings:
    """Trying and looking."""

    dry_run: bool = setting(
        False,
        "preflight only: read and check all inputs of the chosen stages, report, and stop",
        group="Trying and looking",
    )
    limit: int | None = setting(
        None, "use only this many first images of every list", rule=POSITIVE
    )
    show_dir: str = place("result/show", "where --show writes its pictures")
    show: str | None = setting(
        None, "instead of running stages, draw this image through all of them", rule=NOT_EMPTY
    )
    tables: bool = setting(
        False, "instead of running stages, write the tables of the measures in --metrics_file"
    )
    sweep: str | None = setting(
        None,
        "instead of running stages, measure labels over a grid of settings, as "
        "'sem_seg_bg_thres=0.15:0.35:0.05 beta=5,10', the network running once an image",
    )
    sweep_name: str = place(
        "result/sweep",
        "--sweep's table and chart are written to this name with .md, .svg, .json appended",
    )


@dataclass(frozen=True, kw_only=True)
class PredictionSettings:
    """Prediction on any images."""

    predict: str | None = setting(
        None,
        "instead of running stages, predict every image in this folder; no data set is needed",
        rule=NOT_EMPTY,
        group="Prediction",
    )
    predict_network: str = setting(
        "mask_rcnn",
        "what predicts: mask_rcnn instances, deeplab labels, irn pseudo labels of the classes that "
        "the classification network finds",
        rule=one_of("mask_rcnn", "deeplab", "irn"),
    )
    predict_score: float = setting(
        0.5, "irn alone: probability from which on a class is taken to be in an image", rule=UNIT
    )
    predict_long_side: int = setting(
        1024,
        "deeplab and irn alone: a larger image is shrunk to this long side for the networks, "
        "pixels; 0 shrinks none",
        rule=NOT_NEGATIVE,
    )
    predict_dir: str = place("result/predict", "predictions, in a folder for each network")
