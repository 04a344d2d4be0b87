"""The settings that shape a stage's outputs, which its records hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from misc.files.cam_names import cam_names
from misc.files.dataset import Dataset
from misc.files.digests import content_digest, fingerprint
from misc.files.labels import INSTANCE_FILES, SEMANTIC_FILES
from misc.machine.device import compute_of
from misc.run.code import module_identity
from misc.run.records import Describe, read_settings
from misc.settings.config import DATASETS, SETTINGS, Config
from misc.settings.flags import resolved
from misc.settings.metadata import MODULES

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
    if name in MODULES and values[name] != SETTINGS[name].default:
        return module_identity(values[name])
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
    output folder by the settings that shaped it, or by the images' files in it if it is not ours,
    a module by the digest of its source.

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
    if config.dataset not in DATASETS:
        own["dataset"] = module_identity(config.dataset)
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
            value = _foreign(config, name, images if ids is None else ids, fixed=ids is not None)
        elif name.endswith("_list"):
            value = dataset.identify(ids, truth=truth)
        own[name] = value
    return {stage: own | dict(extra or {}), **before}


def _foreign(config: Config, name: str, images: Sequence[str], *, fixed: bool) -> str | Describe:
    """Return what counts of a folder that this program did not make: the images' files.

    Where it is not fixed which images are read, it is a function of them.
    """
    folder = Path(vars(config)[name])

    def describe(ids: Sequence[str] | None) -> str:
        listed = images if ids is None else ids
        names = (
            cam_names(folder, listed)
            if name == "cam_out_dir"
            else [_READ[name].replace("{}", image_id) for image_id in listed]
        )
        digest = content_digest(folder / name for name in sorted(names))
        return f"the files of {len(listed)} images, digest {digest}"

    return describe(None) if fixed else describe
