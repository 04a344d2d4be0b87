"""The settings that shape a stage's outputs, as compared by provenance."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.cam_files import existing_cam_names
from misc.files.labels import INSTANCE_FILES, SEMANTIC_FILES
from misc.machine.device import compute_of
from misc.running.dataset import Dataset
from misc.running.provenance import fingerprint, read_settings
from misc.running.records import FilesOfImages
from misc.settings.config import SETTINGS, Config
from misc.settings.flags import resolved

# Of settings whose value counts by what is in a file, a folder or a list; a batch size often
# follows from its list.
BY_CONTENT = ("_weights_name", "_out_dir", "_list", "pretrained", "_batch_size")

# In a folder that a stage reads, the file of an image; that of CAMs has several names.
_READ = {
    "ir_label_out_dir": "{}.png",
    "ins_seg_out_dir": INSTANCE_FILES[0],
    "sem_seg_out_dir": SEMANTIC_FILES[0],
}


def known_before(config: Config, stage: str) -> dict[str, Any]:
    """Return the settings that shape a stage's outputs by their value alone, known before any ran.

    An automatic precision, which follows from the device, is not among them.
    """
    values = resolved(config)
    open_ones = (*BY_CONTENT, "precision") if config.precision == "auto" else BY_CONTENT
    return {
        name: _plain(config, values, name)
        for name, setting in SETTINGS.items()
        if stage in setting.affects and not name.endswith(open_ones)
    }


def _plain(config: Config, values: Mapping[str, Any], name: str) -> Any:
    """Return a setting in use: automatic values are what they amount to."""
    if name == "precision" and values[name] == "auto":
        return compute_of(config).precision
    if name == "deeplab_backbone":
        return values[name] or values["backbone"]
    return values[name]


def shaped_by(
    config: Config,
    dataset: Dataset,
    stage: str,
    *more: str,
    ids: Sequence[str] | None = None,
    images: Sequence[str] = (),
    truth: str = "",
    extra: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Collect what shapes a stage's outputs, by stage: its own settings first, then earlier ones'.

    Paths do not count: weights are identified by the file's digest, data by name and digest, an
    output folder by the settings that shaped it, or by the images' files in it if it is not ours.

    Args:
        config: the settings.
        dataset: the data set.
        stage: the stage that writes.
        more: settings that shape it in this run, besides those that are declared to shape it.
        ids: the images of the list among them; without one, the whole data set counts.
        images: the images whose files are read, where the whole data set counts.
        truth: the kind of ground truth that is learnt from, where any is.
        extra: additional settings, or values that override the config's.
    """
    values = resolved(config)
    own: dict[str, Any] = {}
    before: dict[str, dict[str, Any]] = {}
    if ids is None:
        own["data_root"] = dataset.identify()
    declared = [name for name, setting in SETTINGS.items() if stage in setting.affects]
    for name in dict.fromkeys([*declared, *more]):
        value = _plain(config, values, name)
        if name.endswith("_weights_name") or (name == "pretrained" and Path(value).is_file()):
            value = f"a file of SHA-256 {fingerprint(value)}"
        elif name.endswith("_out_dir"):
            earlier = read_settings(value)
            if earlier is not None:
                before |= earlier
                continue
            value = _foreign(config, name, images if ids is None else ids)
        elif name.endswith("_list"):
            value = dataset.identify(ids, truth=truth)
        own[name] = value
    return {stage: own | dict(extra or {}), **before}


def _foreign(config: Config, name: str, ids: Sequence[str]) -> FilesOfImages:
    """Return what counts of a folder that this program did not make: the images' files."""
    folder = Path(vars(config)[name])
    if name == "cam_out_dir":
        return FilesOfImages(folder=folder, names=partial(existing_cam_names, folder), ids=ids)
    pattern = _READ[name]
    return FilesOfImages(
        folder=folder, names=lambda ids: [pattern.replace("{}", i) for i in ids], ids=ids
    )
