"""A run's settings and measures, read from its outputs."""

from collections.abc import Iterable
from typing import Any

from misc.evaluate.measures import read_seconds, read_since
from misc.run.records import read_settings
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value
from misc.settings.flags import defaults
from misc.view.tables import number

# Recorded as what they resolved to, a digest or a device's precision: no value of a preset.
_RESOLVED = {"data_root", "precision", "train_list", "infer_list"}


def changed_settings(config: Config) -> list[tuple[str, str, str, str]]:
    """Return flag, preset's value, this run's value and the stages with it, where they differ.

    They are those that are recorded with the labels and what they are made of.
    """
    found: dict[str, dict[str, Any]] = {}  # by setting and stage
    for place in (
        config.cam_weights_name,
        config.cam_out_dir,
        config.ir_label_out_dir,
        config.irn_weights_name,
        config.ins_seg_out_dir,
        config.sem_seg_out_dir,
    ):
        for stage, settings in (read_settings(place) or {}).items():
            for name, value in settings.items():
                # A stage's own record comes first, and later stages' repeat it.
                found.setdefault(name, {}).setdefault(stage, value)
    rows = []
    for name, usual in defaults(config.preset).items():
        if name in _RESOLVED or SETTINGS[name].is_output:
            continue
        stages: dict[Any, list[str]] = {}
        for stage, value in found.get(name, {}).items():
            plain = tuple(value) if isinstance(value, list) else value
            stages.setdefault(plain, []).append(stage)
        rows += [
            (f"--{name}", format_value(usual), format_value(value), ", ".join(those))
            for value, those in stages.items()
            if value != usual
        ]
    return rows


def measure_rows(config: Config, stages: Iterable[str]) -> list[tuple[str, ...]]:
    """Return stage, seconds, measure, split, value and the published one; the latest count."""
    found: dict[str, dict[tuple[str, str, str], dict[str, Any]]] = {stage: {} for stage in stages}
    for line in read_since(config.metrics_file, 0):
        key = line["measure"], line["split"], line["supervision"]
        found.setdefault(line["stage"], {})[key] = line
    seconds = read_seconds(f"{config.details_dir}/seconds.jsonl")
    rows: list[tuple[str, ...]] = []
    for stage, lines in found.items():
        head = stage, f"{seconds[stage]:.1f}" if stage in seconds else ""
        if not lines and stage in seconds:
            rows.append((*head, "", "", "", ""))
        for (measure, split, supervision), line in lines.items():
            name = measure + f" ({supervision})" * (supervision != "irn")
            rows.append((*head, name, split, number(line["value"], 4), number(line["published"])))
            head = "", ""
    return rows
