"""What a stage will read and write, declared for the preflight."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.atomic import names_in
from misc.files.cam_files import ENDINGS, CamFolder, existing_cam_names, read_cams
from misc.running.dataset import Dataset
from misc.running.records import FOLDER_RECORD
from misc.settings.config import Config


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of one folder, by their names: paths of 120,000 images would take seconds a stage.

    Attributes:
        folder: the folder.
        names: their names in it.
    """

    folder: Path
    names: Sequence[str]

    @classmethod
    def of(cls, *paths: str | Path) -> "Files":
        """Return some files of one folder."""
        return cls(folder=Path(paths[0]).parent, names=[Path(path).name for path in paths])

    @classmethod
    def of_images(cls, folder: str | Path, pattern: str, ids: Sequence[str]) -> "Files":
        """Return the file of each image; `{}` in the pattern, as `palette/{}.png`, is its id."""
        first = Path(folder, pattern)
        return cls(folder=first.parent, names=[first.name.replace("{}", i) for i in ids])

    @property
    def there(self) -> list[str]:
        """Return the names of those that exist, by one listing of the folder."""
        listed = names_in(self.folder)
        return [name for name in self.names if name in listed]


@dataclass(frozen=True, kw_only=True)
class Need:
    """Files that a stage reads and another one makes, or the user provides.

    Attributes:
        flag: the setting that names them.
        files: the files.
        read: reads one of them; ValueError if it is broken.
        remedy: what to do where they are missing.
        ids: of CAMs, the image of each file.
    """

    flag: str
    files: Files
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
        learnt: by a list's flag its ids, of which one at least has to show a class.
        truths: ground truth that is read.
        needs: what other stages make.
        batches: by the flag of a batch size, the number of images to fill it.
        modules: modules that it imports, and the packages that have them.
        networks: for each network that it builds a check, ValueError where the network cannot be
            built or the weights to load do not fit; called with the files that will be written
            before.
        writes: the files that it makes.
        claims: the folders and weights that its run claims for its settings.
        bytes_each: their usual size, where none exists yet.
    """

    images: Sequence[str] = ()
    labelled: Sequence[str] = ()
    learnt: Mapping[str, Sequence[str]] = field(default_factory=dict)
    truths: Sequence[Truths] = ()
    needs: Sequence[Need] = ()
    batches: Mapping[str, int] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    networks: Sequence[Callable[[Collection[Path]], None]] = ()
    writes: Sequence[Files] = ()
    claims: Sequence[str | Path] = ()
    bytes_each: int = 0


def made_by(flag: str, stage: str, files: Files, read: Callable[[Any], Any]) -> Need:
    """Return the need for files that a stage makes."""
    remedy = f"the stage {stage} makes it: --{stage}_pass True, or name a place that has it"
    return Need(flag=flag, files=files, read=read, remedy=remedy)


def unfilled(config: Config, flag: str, images: int) -> ValueError | None:
    """Return the error about a batch size that the images of its list do not fill, else None.

    With --limit a batch is as small as its images.
    """
    asked = vars(config)[flag]
    if images >= asked or (config.limit is not None and images):
        return None
    listed = "train_list" if flag in ("cam_batch_size", "irn_batch_size") else "infer_list"
    return ValueError(
        f"--{flag} {asked}: a batch of {asked} images cannot be made of {images}, those of "
        f"--{listed} {vars(config)[listed]}: pass a smaller batch size or a longer list"
    )


def cam_folder(config: Config, dataset: Dataset) -> CamFolder:
    """Return the folder of --cam_out_dir, to read CAMs from."""
    return CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))


def cams_need(config: Config, dataset: Dataset, ids: Sequence[str]) -> Need:
    """Return the need for the CAMs of images."""
    names = existing_cam_names(config.cam_out_dir, ids)
    files = Files(folder=Path(config.cam_out_dir), names=names)
    need = made_by(
        "cam_out_dir", "make_cam", files, partial(read_cams, num_classes=len(dataset.class_names))
    )
    return replace(need, ids=ids, remedy=need.remedy + _other_names(files))


def _other_names(files: Files) -> str:
    """Name a file of a folder of CAMs that is no image's, as its names may be meant otherwise."""
    others = sorted(names_in(files.folder) - set(files.names))
    alike = [name for name in others if Path(name).suffix.lower() in (*ENDINGS, ".png")]
    if not alike or FOLDER_RECORD in others:
        return ""
    return f" ({alike[0]} is there, and of no image by its name; accepted is ID.npz, .npy or .pt)"


def crf_modules(config: Config) -> dict[str, str]:
    """Return the modules that the dense CRF imports, as `Plan.modules`."""
    if config.crf != "pydensecrf":
        return {}
    package = "pydensecrf2 (on Python 3.11 or 3.12, with g++), or pass --crf torch: the same labels"
    return {"pydensecrf.densecrf": package}
