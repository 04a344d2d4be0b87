"""Which settings go together."""

from collections.abc import Container, Mapping
from typing import Any

from misc.settings.config import DATASETS
from misc.settings.declare import Setting, format_value
from misc.settings.grid import read_grid

# What a command does in place of the stages; one of them at a time.
INSTEAD = ("predict", "sweep", "show", "tables")
# By --predict_network, settings of the other ones alone.
UNUSED = {"mask_rcnn": ("predict_score", "predict_long_side"), "deeplab": ("predict_score",)}


def check_together(values: Mapping[str, Any]) -> None:
    """Raise ValueError where settings are incompatible, in one line that names the flags."""
    _check_instead(values)
    if values["sweep"] is not None:
        read_grid(values["sweep"])
    if values["predict"]:
        return
    _check_data(values)
    _check_thresholds(values)
    drops, steps = (values[name] for name in ("mask_rcnn_drops", "mask_rcnn_steps"))
    crop, radius = values["irn_crop_size"], values["irn_radius"]
    if crop // 4 < 2 * radius - 1:
        raise ValueError(
            f"--irn_crop_size {crop}: has no pair within --irn_radius {radius}; accepted are "
            f"{-(-4 * (2 * radius - 1) // 16) * 16} or more, or a smaller radius"
        )
    if max(drops, default=0) > steps:
        raise ValueError(
            f"--mask_rcnn_drops {format_value(drops)}: accepted are steps up to --mask_rcnn_steps "
            f"{steps}, as {2 * steps // 3},{8 * steps // 9}, or '' for a constant learning rate"
        )


def check_used(values: Mapping[str, Any], given: Container[str]) -> None:
    """Raise ValueError where --predict is given a flag that its network does not use."""
    network = values["predict_network"]
    for name in UNUSED.get(network, ()) if values["predict"] else ():
        if name in given:
            others = " or ".join(n for n in ("deeplab", "irn") if name not in UNUSED.get(n, ()))
            raise ValueError(
                f"--{name} {format_value(values[name])}: is for --predict_network {others}, "
                f"{network} has no use for it; leave it out"
            )


def check_data_set(field: Setting, values: Mapping[str, Any], source: str) -> None:
    """Raise ValueError where a setting is of another data set alone."""
    dataset, value = values["dataset"], values[field.name]
    is_read = not field.of or dataset in field.of or dataset not in DATASETS or values["predict"]
    if value != field.default and not is_read:
        raise ValueError(
            f"{source}--{field.name} {format_value(value)}: is of --dataset "
            f"{' or '.join(field.of)}, not {dataset}; leave it out, or name that data set"
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
    if values["predict"] and stages:
        raise ValueError(
            f"--{stages[0]}: --predict runs no stage of a data set; leave one of the two out"
        )


def _check_data(values: Mapping[str, Any]) -> None:
    dataset, root = values["dataset"], values["data_root"]
    if dataset == "demo" and root:
        others = ", ".join(name for name in DATASETS if name != "demo")
        raise ValueError(
            f"--data_root {root}: the demo's data are drawn in --demo_root; name the data set of "
            f"this folder with --dataset: {others} or a module as my.dataset"
        )
    if dataset in DATASETS and dataset != "demo" and not root:
        raise ValueError(
            f"--dataset {dataset}: needs its folder: pass --data_root with it, or leave --dataset "
            "and --preset out for the demo"
        )


def _check_thresholds(values: Mapping[str, Any]) -> None:
    if not values["suggest_thresholds"]:
        return
    passes = {name: value for name, value in values.items() if name.endswith("_pass")}
    is_chosen = passes["eval_cam_pass"] is not False
    if True in passes.values():
        is_chosen = passes["eval_cam_pass"] is True
    if not is_chosen or any(values[name] not in (None, False) for name in INSTEAD):
        raise ValueError(
            "--suggest_thresholds: the stage eval_cam prints them, and does not run here; pass "
            "--eval_cam_pass True with it, or leave it out"
        )
