"""What shapes a stage's results, which their records hold; a stage claims its folder by it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.dataset import Dataset
from misc.files.digests import content_digest, fingerprint
from misc.files.labels import INSTANCE_FILES
from misc.files.outputs import image_files
from misc.files.palette import LEGEND, class_entries, object_entries, write_legend
from misc.machine.device import compute_of
from misc.machine.ranks import rank0_only
from misc.run.code import module_identity
from misc.run.records import claim_folder, read_settings
from misc.run.stage import image_names, stage_named
from misc.settings.config import DATASETS, SETTINGS, Config
from misc.settings.flags import resolved
from misc.settings.metadata import MODULES

# Settings whose value counts by what is in a file, a folder or a list, or follows from a list.
BY_CONTENT = ("_weights_name", "_out_dir", "_list", "pretrained", "_batch_size")


@rank0_only
def claim_outputs(
    config: Config,
    dataset: Dataset,
    stage: str,
    ids: Sequence[str],
    *,
    folder: str | Path = "",
    more_files: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Callable[[str], list[Path]]:
    """Claim the folder that a stage writes, for these images and all that shapes their files.

    The table of stages names the folder and the files. It returns a picklable function from an
    image's id to the paths of its files.
    """
    row = stage_named(stage)
    place, files = Path(folder or vars(config)[row.writes]), (*row.files, *more_files)
    images = dict.fromkeys(ids, "")
    for flag in _affecting(config, stage):
        if flag.endswith("_out_dir") and read_settings(vars(config)[flag]) is None:
            images |= _external_files(config, flag, ids)
    settings = result_settings(config, dataset, stage, extra=extra)
    claim_folder(place, settings, files=files, images=images, overwrite=config.overwrite)
    if LEGEND in files:
        is_relation = row.writes == "ir_label_out_dir"  # it has pixels that are not used
        classes = class_entries(dataset.class_names, dataset.palette, unsure=is_relation)
        write_legend(place, object_entries() if row.files == INSTANCE_FILES else classes)
    return partial(image_files, place, files)


def result_settings(
    config: Config,
    dataset: Dataset,
    stage: str,
    *more: str,
    ids: Sequence[str] | None = None,
    truth: str = "",
    extra: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Collect what shapes a stage's results, by stage: its own settings first, then earlier ones'.

    Paths do not count: weights are identified by the file's digest, data by name and digest, an
    output folder by the settings that shaped it, or by the images' files in it if it is not ours,
    a module by the digest of its source.

    Args:
        config: the settings.
        dataset: the data set.
        stage: the stage that writes.
        more: settings that shape it in this run, besides those that it reads or that affect it.
        ids: the images that shape it all together; without them the whole data set counts.
        truth: the kind of ground truth that is learnt from, where any is.
        extra: values that override the config's.
    """
    values = resolved(config)
    own: dict[str, Any] = {}
    before: dict[str, dict[str, Any]] = {}
    if config.dataset not in DATASETS:
        own["dataset"] = module_identity(config.dataset)
    if ids is None:
        own["data_root"] = dataset.identify()
    for name in dict.fromkeys([*_affecting(config, stage), *more]):
        value = values[name]
        if name.endswith("_weights_name") or (name == "pretrained" and Path(value).is_file()):
            own[name] = f"a file of SHA-256 {fingerprint(value)}"
        elif name.endswith("_list"):
            own[name] = dataset.identify(ids, truth=truth)
        elif not name.endswith("_out_dir"):
            own[name] = _plain(config, name, value)
        elif (earlier := read_settings(value)) is not None:
            before |= earlier
        elif ids is None:
            own[name] = "files of another program"  # each counts with its image
        else:
            names = sorted(image_names(name, value, ids))
            digest = content_digest(Path(value, each) for each in names)
            own[name] = f"the files of {len(ids)} images, digest {digest}"
    return {stage: own | dict(extra or {}), **before}


def known_settings(config: Config, stage: str) -> dict[str, dict[str, Any]]:
    """Return the settings that shape a stage's results by their value, known before any stage ran.

    An automatic precision, which follows from the device, is not among them.
    """
    values = resolved(config)
    unknown = (*BY_CONTENT, *["precision"] * (config.precision == "auto"))
    known = [name for name in _affecting(config, stage) if not name.endswith(unknown)]
    return {stage: {name: _plain(config, name, values[name]) for name in known}}


def _affecting(config: Config, stage: str) -> list[str]:
    """Return the settings that a stage's results depend on in this run."""
    row = stage_named(stage)
    names = [name for name, setting in SETTINGS.items() if stage in setting.affects]
    names += () if row.supervised else row.reads_of(config)  # else --supervision tells what is read
    names += ["crf"] * bool(row.crf and vars(config)[row.crf])
    return list(dict.fromkeys(names))


def _plain(config: Config, name: str, value: Any) -> Any:
    """Return a setting in use: automatic values are what they amount to."""
    if name == "precision" and value == "auto":
        return compute_of(config).precision
    if name == "deeplab_backbone":
        return value or config.backbone
    if name in MODULES and value != SETTINGS[name].default:
        return module_identity(value)
    return value


def _external_files(config: Config, flag: str, ids: Sequence[str]) -> dict[str, str]:
    """Return by image the file in a folder of another program, and its digest."""
    folder = vars(config)[flag]
    named = zip(ids, image_names(flag, folder, ids), strict=True)
    return {
        image_id: f"{name} of --{flag}, digest {content_digest([Path(folder, name)])}"
        for image_id, name in named
    }
