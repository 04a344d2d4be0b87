"""Which settings go together."""

import os
from collections.abc import Container, Mapping
from typing import Any

from misc.settings.config import CAM_METHODS, DATASETS, Config
from misc.settings.declare import Setting, format_value
from misc.settings.grid import read_grid

# What a command does in place of the stages; one of them at a time.
INSTEAD = ("predict", "export", "sweep", "show", "tables", "compare")


def check_together(config: Config) -> None:
    """Raise ValueError where settings are incompatible, in one line that names the flags."""
    values = vars(config)
    _check_instead(values)
    if config.sweep is not None:
        read_grid(config.sweep)
    if config.cam_method == "amn":
        _check_amn(values)
    if config.predict or config.export or config.compare:
        return
    _check_data(config.dataset, config.data_root)
    is_replaced = any(values[name] not in (None, False) for name in INSTEAD)
    if config.suggest_thresholds and (is_replaced or not config.runs_stage("eval_cam_pass")):
        raise ValueError(
            "--suggest_thresholds: the stage eval_cam prints them, and does not run here; pass "
            "--eval_cam_pass True with it, or leave it out"
        )
    crop, radius = config.irn_crop_size, config.irn_radius
    if crop // 4 < 2 * radius - 1:
        raise ValueError(
            f"--irn_crop_size {crop}: has no pair within --irn_radius {radius}; accepted are "
            f"{-(-4 * (2 * radius - 1) // 16) * 16} or more, or a smaller radius"
        )
    drops, steps = config.mask_rcnn_drops, config.mask_rcnn_steps
    if max(drops, default=0) > steps:
        raise ValueError(
            f"--mask_rcnn_drops {format_value(drops)}: accepted are steps up to --mask_rcnn_steps "
            f"{steps}, for example {2 * steps // 3},{8 * steps // 9}, or '' for a constant "
            "learning rate"
        )


def check_reader(field: Setting, values: Mapping[str, Any], source: str) -> None:
    """Raise ValueError where a setting is of another data set, method or predictor alone."""
    value, is_of_network = values[field.name], field.name.startswith("predict_")
    is_usual = value in (field.default, field.preset(values["preset"]))
    if not field.of or is_usual or is_of_network != bool(values["predict"]):
        return
    reader = "predict_network" if is_of_network else "dataset"
    if set(field.of) <= set(CAM_METHODS):
        reader = "cam_method"
    chosen = values[reader]
    is_own = reader == "dataset" and chosen not in DATASETS  # a user's module may read any setting
    if chosen not in field.of and not is_own:
        raise ValueError(
            f"{source}--{field.name} {format_value(value)}: is of --{reader} "
            f"{' or '.join(field.of)}, not {chosen}; leave it out, or name that one"
        )


def check_effect(config: Config, flags: Container[str]) -> None:
    """Raise ValueError where a flag is typed, or swept, that another one leaves without effect."""
    swept = read_grid(config.sweep) if config.sweep is not None else {}
    if "walk_background" in swept:
        return
    for name in ("sem_seg_bg_thres", "ins_seg_bg_thres"):
        if config.walk_background and (name in flags or name in swept):
            typed = f"--{name} {format_value(vars(config)[name])}"
            given = f"--sweep {config.sweep}" if name in swept else typed
            raise ValueError(
                f"{given}: --walk_background {format_value(config.walk_background)} takes its "
                "place; leave it out, or pass --walk_background 0, too"
            )


def _check_instead(values: Mapping[str, Any]) -> None:
    chosen = [name for name in INSTEAD if values[name] not in (None, False)]
    if len(chosen) > 1:
        raise ValueError(
            f"--{' and --'.join(chosen)}: a command does one of them, in place of the stages; "
            "leave the others out"
        )
    if values["dry_run"] and chosen and chosen != ["sweep"]:
        raise ValueError(
            f"--dry_run: checks what stages and --sweep would read, and has nothing to check for "
            f"--{chosen[0]}; leave one of the two out"
        )
    stages = [name for name, value in values.items() if name.endswith("_pass") and value]
    if stages and chosen and chosen[0] in ("predict", "export"):
        raise ValueError(
            f"--{stages[0]}: --{chosen[0]} runs no stage of a data set; leave one of the two out"
        )


def _check_amn(values: Mapping[str, Any]) -> None:
    labels, own = values["amn_label_dir"], values["ir_label_out_dir"]
    if values["predict"]:
        if values["predict_network"] == "irn":
            raise ValueError(
                "--cam_method amn: its maps need a relation label of each image, which --predict "
                "has not; pass --cam_method cam, whose maps this IRNet takes, too, or another "
                "--predict_network"
            )
    elif os.path.realpath(labels) == os.path.realpath(own):
        raise ValueError(
            f"--amn_label_dir {labels}: is --ir_label_out_dir of this run, too, and --cam_method "
            "amn learns from the relation labels of an earlier run; pass --run_dir for this one, "
            "for example --run_dir amn"
        )


def _check_data(dataset: str, root: str | None) -> None:
    if dataset == "demo" and root:
        others = ", ".join(name for name in DATASETS if name != "demo")
        raise ValueError(
            f"--data_root {root}: the demo's data are drawn in --demo_root; name the data set of "
            f"this folder with --dataset: {others} or a module, for example my_data"
        )
    if dataset in DATASETS and dataset != "demo" and not root:
        raise ValueError(
            f"--dataset {dataset}: needs its folder: pass --data_root with it, or leave --dataset "
            "and --preset out for the demo"
        )
