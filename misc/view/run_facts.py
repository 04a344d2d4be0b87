"""A run's settings and measures, read from its outputs."""

from collections.abc import Iterable
from typing import Any

from misc.evaluate.measures import read_seconds, read_since
from misc.run.records import read_settings
from misc.settings.config import SETTINGS, Config
from misc.settings.declare import format_value
from misc.settings.flags import defaults
from misc.view.tables import number

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
# They are recorded as what they resolved to: a digest, a device's precision.
_INDIRECT = {"data_root", "precision", "train_list", "infer_list"}


def changed_settings(config: Config) -> list[tuple[str, str, str, str]]:
    """Return flag, preset's value, this run's value and the stages with it, where they differ.

    The settings recorded with the outputs override this command's flags: another command may
    have made them.
    """
    recorded = _recorded(config)
    rows = []
    for name, usual in defaults(config.preset).items():
        if name in _NOT_SHAPING or name.endswith("_pass") or SETTINGS[name].is_output:
            continue
        stages: dict[Any, list[str]] = {}
        for stage, value in recorded.get(name, {"": vars(config)[name]}).items():
            stages.setdefault(value, []).append(stage)
        rows += [
            (f"--{name}", format_value(usual), format_value(value), ", ".join(found))
            for value, found in stages.items()
            if value != usual
        ]
    return rows


def measure_rows(config: Config, stages: Iterable[str]) -> list[tuple[str, ...]]:
    """Return stage, seconds, measure, split, value and the published one; the latest count."""
    found: dict[str, dict[tuple[str, str, str], dict[str, Any]]] = {stage: {} for stage in stages}
    for line in read_since(config.metrics_file, 0):
        key = line["measure"], line["split"], line["supervision"]
        found.setdefault(line["stage"], {})[key] = line
    seconds = read_seconds(seconds_file(config))
    rows: list[tuple[str, ...]] = []
    for stage, lines in found.items():
        heads = [(stage, f"{seconds[stage]:.1f}" if stage in seconds else "")]
        if not lines and stage in seconds:
            rows.append((*heads[0], "", "", "", ""))
        heads += [("", "")] * (len(lines) - 1)
        for head, ((measure, split, supervision), line) in zip(heads, lines.items(), strict=False):
            name = measure + f" ({supervision})" * (supervision != "irn")
            rows.append((*head, name, split, number(line["value"], 4), number(line["published"])))
    return rows


def seconds_file(config: Config) -> str:
    """Return the path of the stages' run times."""
    return f"{config.details_dir}/seconds.jsonl"


def _recorded(config: Config) -> dict[str, dict[str, Any]]:
    """Return the settings recorded with the existing outputs, each by stage."""
    recorded: dict[str, dict[str, Any]] = {}
    for place in (
        config.cam_weights_name,
        config.cam_out_dir,
        config.ir_label_out_dir,
        config.irn_weights_name,
        config.ins_seg_out_dir,
        config.sem_seg_out_dir,
    ):
        for stage, settings in (read_settings(place) or {}).items():
            for name in settings.keys() - _INDIRECT:
                value = settings[name]
                plain = tuple(value) if isinstance(value, list) else value
                # A stage's own record overrides a later stage's.
                recorded.setdefault(name, {}).setdefault(stage, plain)
    return recorded
