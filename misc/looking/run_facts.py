"""A run's settings and measures, read from its outputs."""

from collections.abc import Iterable, Mapping
from typing import Any

from misc.measuring.measures import read_seconds, read_since
from misc.running.records import read_settings
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value
from misc.settings.flags import defaults

Key = tuple[str, str, str]  # measure, split, supervision
Line = dict[str, Any]

# The baseline that a measure must exceed: another stage's measure.
BOUNDS = {
    ("eval_sem_seg", "mIoU"): ("eval_cam", "best mIoU"),
    ("eval_ins_seg", "AP50"): ("eval_cam", "component AP50"),
}
# They determine how a command ran, not its results.
_NOT_SHAPING = {
    "settings",
    "show",
    "overwrite",
    "run_dir",
    "num_workers",
    "tensorboard",
    "report_images",
}


def changed_settings(config: Config) -> list[tuple[str, str, str]]:
    """Return flag, preset's value and this run's, where they differ.

    The settings recorded with the outputs override this command's flags: another command may
    have made them.
    """
    preset, now, shaping = defaults(config.preset), vars(config), _shaping(config)
    rows = []
    for name, usual in preset.items():
        if name in _NOT_SHAPING or name.endswith("_pass") or SETTINGS[name].is_output:
            continue
        by_stage = shaping.get(name, {})
        values = {f"--{name} of {stage}": value for stage, value in by_stage.items()}
        if len(set(values.values())) < 2:  # else stages ran with different flags
            values = {f"--{name}": next(iter(values.values()), now[name])}
        rows += [
            (flag, format_value(usual), format_value(value))
            for flag, value in values.items()
            if value != usual
        ]
    return rows


def measure_rows(config: Config, stages: Iterable[str]) -> list[tuple[str, ...]]:
    """Return stage, seconds, measure, value and its reference, by stage; the latest count."""
    found: dict[str, dict[Key, Line]] = {stage: {} for stage in stages}
    for line in read_since(config.metrics_file, 0):
        key = line["measure"], line["split"], line.get("supervision", "irn")
        found.setdefault(line["stage"], {})[key] = line
    seconds = read_seconds(seconds_file(config))
    rows: list[tuple[str, ...]] = []
    for stage, lines in found.items():
        head = (stage, f"{seconds[stage]:.1f}" if stage in seconds else "")
        if not lines and stage in seconds:
            rows.append((*head, "", "", ""))
        for number, (key, line) in enumerate(lines.items()):
            measure, split, supervision = key
            words = f"{measure}, {split}" + f" ({supervision})" * (supervision != "irn")
            first = head if number == 0 else ("", "")
            rows.append((*first, words, f"{line['value']:.4f}", _beside(found, stage, key)))
    return rows


def seconds_file(config: Config) -> str:
    """Return the path of the stages' run times."""
    return f"{config.details_dir}/seconds.jsonl"


def _beside(found: Mapping[str, Mapping[Key, Line]], stage: str, key: Key) -> str:
    """Return a measure's references: the published value, and its bounds."""
    measure, split, supervision = key
    published = found[stage][key]["published"]
    words = [] if published is None else [f"published {published:.3f}"]
    other, other_measure = BOUNDS.get((stage, measure), ("", ""))
    if bound := found.get(other, {}).get((other_measure, split, "irn")):
        words.append(f"to exceed {bound['value']:.4f}: {other}'s {other_measure}")
    for kind, name in (("cam", "from CAMs"), ("full", "from ground truth")):
        if supervision == "irn" and (bound := found[stage].get((measure, split, kind))):
            words.append(f"{name} {bound['value']:.4f}")
    return "; ".join(words)


def _shaping(config: Config) -> dict[str, dict[str, Any]]:
    """Collect the plain settings that shaped the existing outputs.

    Returns:
        for each setting its values by stage.
    """
    places = (
        config.cam_weights_name,
        config.cam_out_dir,
        config.ir_label_out_dir,
        config.irn_weights_name,
        config.ins_seg_out_dir,
        config.sem_seg_out_dir,
    )
    # These are recorded as what they resolved to: a digest, a device's precision.
    indirect = {"data_root", "precision", "train_list", "infer_list"}
    shaping: dict[str, dict[str, Any]] = {}
    for place in places:
        for stage, settings in (read_settings(place) or {}).items():
            for name, value in settings.items():
                if name not in indirect and not SETTINGS[name].is_output:
                    plain = tuple(value) if isinstance(value, list) else value
                    # A stage's own record overrides a later stage's.
                    shaping.setdefault(name, {}).setdefault(stage, plain)
    return shaping
