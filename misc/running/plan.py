"""What a stage will read and write, declared for the preflight."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from misc.files.cam_files import CamFolder, existing_cams
from misc.running.dataset import Dataset
from misc.settings.config import Config


@dataclass(frozen=True, kw_only=True)
class Need:
    """Files that a stage reads and another one makes, or the user provides.

    Attributes:
        flag: the setting that names them.
        paths: the files.
        read: reads one of them; ValueError if it is broken.
        remedy: what to do where they are missing.
        ids: of CAMs, the image of each file.
    """

    flag: str
    paths: Sequence[Path]
    read: Callable[[Any], Any]
    remedy: str
    ids: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Truths:
    """Ground truth of the images of a list, which a stage reads.

    Attributes:
        flag: the setting that names the list.
        name: of the list.
        ids: its images.
        kinds: of labels that are read: `semantic`, `instance`.
        some: whether one image with ground truth is enough; else all must have it.
    """

    flag: str
    name: str
    ids: Sequence[str]
    kinds: Sequence[str]
    some: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stage will read and write.

    Attributes:
        images: ids whose image is read.
        labelled: ids whose image-level label is read.
        truths: ground truth that is read.
        needs: what other stages make.
        modules: modules that it imports, and the packages that have them.
        writes: the files that it makes.
        bytes_each: their usual size, where none exists yet.
    """

    images: Sequence[str] = ()
    labelled: Sequence[str] = ()
    truths: Sequence[Truths] = ()
    needs: Sequence[Need] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    writes: Sequence[Path] = ()
    bytes_each: int = 0


def made_by(flag: str, stage: str, paths: Sequence[Path], read: Callable[[Any], Any]) -> Need:
    """Return the need for files that a stage makes."""
    remedy = f"the stage {stage} makes it: --{stage}_pass True, or name a place that has it"
    return Need(flag=flag, paths=paths, read=read, remedy=remedy)


def cam_folder(config: Config, dataset: Dataset) -> CamFolder:
    """Return the folder of --cam_out_dir, to read CAMs from."""
    return CamFolder(
        path=config.cam_out_dir,
        num_classes=len(dataset.class_names),
        background=config.cam_background,
    )


def cams_need(config: Config, dataset: Dataset, ids: Sequence[str]) -> Need:
    """Return the need for the CAMs of images."""
    paths = [existing_cams(config.cam_out_dir, image_id) for image_id in ids]
    read = cam_folder(config, dataset).read_file
    return replace(made_by("cam_out_dir", "make_cam", paths, read), ids=ids)


def crf_modules(config: Config) -> dict[str, str]:
    """Return the modules that the dense CRF imports, as `Plan.modules`."""
    if config.crf != "pydensecrf":
        return {}
    package = "pydensecrf2 (on Python 3.11 or 3.12, with g++), or pass --crf torch: the same labels"
    return {"pydensecrf.densecrf": package}
