"""What affects a stage's results, which their records hold; a stage claims its folder by it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.cam_formats import pictures
from misc.files.digests import content_digest, fingerprint
from misc.files.labels import INSTANCE_FILES
from misc.files.outputs import image_files
from misc.files.palette import LEGEND, class_entries, object_entries, write_legend
from misc.machine.device import compute_of
from misc.machine.ranks import rank0_only
from misc.run.code import module_identity
from misc.run.records import claim_folder, read_settings
from misc.run.stage import EARLIER_LABELS, StageFiles, image_names
from misc.settings.config import DATASETS, SETTINGS
from misc.settings.metadata import MODULES

# Settings whose value counts by what is in a file, a folder or a list, or follows from a list.
FOLDERS = ("_out_dir", EARLIER_LABELS)
BY_CONTENT = (*FOLDERS, "_weights_name", "_list", "pretrained", "_batch_size")


@rank0_only
def claim_outputs(
    stage: StageFiles,
    ids: Sequence[str],
    *,
    folder: str | Path = "",
    more_files: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Callable[[str], list[Path]]:
    """Claim the folder that a stage writes, for these images and all that affects their files.

    The stage's description names the folder, where none is given, and the files. It returns a
    picklable function from an image's id to the paths of its files.
    """
    row, config, dataset = stage.row, stage.config, stage.dataset
    place, files = Path(folder or stage.value(row.writes)), (*row.files, *more_files)
    images = dict.fromkeys(ids, "")
    for flag in _affecting(stage):
        if flag.endswith(FOLDERS) and _settings_behind(flag, stage.value(flag)) is None:
            images |= _external_files(flag, stage.value(flag), ids)
    settings = result_settings(stage, extra=extra)
    claim_folder(place, settings, files=files, images=images, overwrite=config.overwrite)
    if LEGEND in files:
        is_relation = row.writes == "ir_label_out_dir"  # it has pixels that are not used
        classes = class_entries(dataset.class_names, dataset.palette, unsure=is_relation)
        write_legend(place, object_entries() if row.files == INSTANCE_FILES else classes)
    return partial(image_files, place, files)


def result_settings(
    stage: StageFiles,
    *more: str,
    ids: Sequence[str] | None = None,
    truth: str = "",
    extra: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Collect what affects a stage's results, by stage: its own settings first, then earlier ones'.

    Paths do not count: weights are identified by the file's digest, data by name and digest, an
    output folder by the settings that it was made with, or by the images' files in it if it is not
    of this run, a module by the digest of its source.

    Args:
        stage: the stage that writes.
        more: settings that affect it in this run, besides those of its description.
        ids: the images that affect it all together; without them the whole data set counts.
        truth: the kind of ground truth that is learnt from, where any is.
        extra: values that override the config's.
    """
    dataset = stage.dataset
    own: dict[str, Any] = {}
    before: dict[str, dict[str, Any]] = {}
    if stage.config.dataset not in DATASETS:
        own["dataset"] = module_identity(stage.config.dataset)
    if ids is None:
        own["data_root"] = dataset.identify()
    for name, value in _values(stage, [*_affecting(stage), *more]).items():
        if name.endswith("_weights_name") or (name == "pretrained" and Path(value).is_file()):
            own[name] = f"a file of SHA-256 {fingerprint(value)}"
        elif name.endswith("_list"):
            own[name] = dataset.identify(ids, truth=truth)
        elif not name.endswith(FOLDERS):
            own[name] = value
        elif (earlier := _settings_behind(name, value)) is not None:
            before |= earlier
        elif ids is None:
            own[name] = "files of another program or run"  # each counts with its image
        else:
            names = sorted(image_names(name, value, ids))
            digest = content_digest(path for each in names for path in _files(name, value, each))
            own[name] = f"the files of {len(ids)} images, digest {digest}"
    return {stage.row.name: own | dict(extra or {}), **before}


def known_settings(stage: StageFiles) -> dict[str, dict[str, Any]]:
    """Return the settings that affect a stage's results by their value, known before any stage ran.

    An automatic precision, which follows from the device, is not among them.
    """
    unknown = (*BY_CONTENT, *["precision"] * (stage.config.precision == "auto"))
    known = [name for name in _affecting(stage) if not name.endswith(unknown)]
    return {stage.row.name: _values(stage, known)}


def other_method(flag: str, folder: str | Path, method: str) -> str:
    """Return an error where a folder of ours follows from the CAMs of another --cam_method, or "".

    The thresholds of a method do not suit another one's maps.
    """
    behind = (_settings_behind(flag, str(folder)) or {}).get("make_cam", {})
    if (was := behind.get("cam_method", method)) == method:
        return ""
    return (
        f"--cam_method {method}: --{flag} {folder} is of --cam_method {was}, whose thresholds "
        f"differ; pass --cam_method {was}, or name a folder of {method}"
    )


def _settings_behind(flag: str, folder: str) -> dict[str, dict[str, Any]] | None:
    """Return by stage what shaped a folder; None where its files count by their content.

    An earlier run has the same stages as this one: a record cannot hold the settings of both.
    """
    return None if flag == EARLIER_LABELS else read_settings(folder)


def _affecting(stage: StageFiles) -> list[str]:
    """Return the settings that a stage's results depend on in this run."""
    row, applies = stage.row, stage.config.applies
    names = [n for n, setting in SETTINGS.items() if row.name in setting.affects and applies(n)]
    # Else --supervision tells what is read.
    names += () if row.supervised else row.reads_of(stage.config)
    names += ["crf"] * bool(row.crf and stage.value(row.crf))
    return list(dict.fromkeys(names))


def _values(stage: StageFiles, names: Sequence[str]) -> dict[str, Any]:
    """Return settings in use: automatic values are what they amount to."""
    found = {name: stage.value(name) for name in names}
    for name, value in found.items():
        if name == "precision" and value == "auto":
            found[name] = compute_of(stage.config).precision
        elif name == "deeplab_backbone":
            found[name] = value or stage.config.backbone
        elif name in MODULES and value != SETTINGS[name].default:
            found[name] = module_identity(value)
    return found


def _files(flag: str, folder: str, name: str) -> list[Path]:
    """Return an image's files, of which this is the first: CAMs may be a picture of each class."""
    path = Path(folder, name)
    return [*(pictures(path) if flag == "cam_out_dir" else {}).values()] or [path]


def _external_files(flag: str, folder: str, ids: Sequence[str]) -> dict[str, str]:
    """Return by image the file in a folder of another program, and its digest."""
    named = zip(ids, image_names(flag, folder, ids), strict=True)
    return {
        image_id: f"{name} of --{flag}, digest {content_digest(_files(flag, folder, name))}"
        for image_id, name in named
    }
