"""The settings that shape a stage's outputs, as compared by provenance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from misc.machine.device import compute_of
from misc.running.dataset import Dataset
from misc.running.provenance import fingerprint, listing_digest, read_settings
from misc.settings.config import SETTINGS, Config
from misc.settings.flags import resolved


def shaped_by(
    config: Config,
    dataset: Dataset,
    stage: str,
    *more: str,
    ids: Sequence[str] | None = None,
    truth: str = "",
    extra: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Collect what shapes a stage's outputs, by stage: its own settings first, then earlier ones'.

    Paths do not count: weights are identified by the file's digest, data by name and digest, an
    output folder by the settings that shaped it, or a digest of its listing if it is not ours.

    Args:
        config: the settings.
        dataset: the data set.
        stage: the stage that writes.
        more: settings that shape it in this run, besides those that are declared to shape it.
        ids: the images of the list among them; without one, the whole data set counts.
        truth: the kind of ground truth that is learnt from, where any is.
        extra: additional settings, or values that override the config's.
    """
    values = resolved(config)
    own: dict[str, Any] = {}
    before: dict[str, dict[str, Any]] = {}
    if ids is None:
        own["data_root"] = dataset.identify()
    declared = [name for name, setting in SETTINGS.items() if stage in setting.shapes]
    for name in dict.fromkeys([*declared, *more]):
        value = values[name]
        if name == "precision":
            value = compute_of(config).precision
        elif name == "deeplab_backbone":
            value = value or values["backbone"]
        elif name.endswith("_weights_name") or (name == "pretrained" and Path(value).is_file()):
            value = f"a file of SHA-256 {fingerprint(value)}"
        elif name.endswith("_out_dir"):
            earlier = read_settings(value)
            if earlier is not None:
                before |= earlier
                continue
            value = listing_digest(value)
        elif name.endswith("_list"):
            value = dataset.identify(ids, truth=truth)
        own[name] = value
    return {stage: own | dict(extra or {}), **before}
