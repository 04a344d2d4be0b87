"""A stage of a run, described once: the preflight and records of results read the description."""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from misc.files.cam_names import cam_names
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.settings.config import Config


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage.

    Attributes:
        name: its module in step/, whose `run(config, dataset)` runs it.
        lists: settings that name lists; it reads their images.
        image_labels: whether it reads the image-level labels of these images, too.
        reads: settings that name what other stages make, of the images of its first list; see
            `reads_of`.
        measures: the setting that names the list whose ground truth it reads.
        truth: the kinds of this ground truth.
        writes: the setting that names its result.
        files: its files of an image of its lists, in that folder; `{}` is the image's id.
        supervised: whether it reads and writes once for each --supervision.
        batch: the batch size that its first list must fill.
        crf: the setting that says whether it runs the dense CRF.
        once: whether only the first of several ranks runs it; else all do, sharing its images.
    """

    name: str
    lists: tuple[str, ...] = ()
    image_labels: bool = False
    reads: tuple[str, ...] = ()
    measures: str = ""
    truth: tuple[str, ...] = ()
    writes: str = ""
    files: tuple[str, ...] = ()
    supervised: bool = False
    batch: str = ""
    crf: str = ""
    once: bool = False

    @property
    def flag(self) -> str:
        """Return the setting that switches it."""
        return f"{self.name.removesuffix('_labels')}_pass"

    def reads_of(self, config: Config) -> list[str]:
        """Return `reads` with the run's --cam_method."""
        return [name.format(cam_method=config.cam_method) for name in self.reads]

    def run(self, config: Config, dataset: Dataset) -> None:
        """Run the stage."""
        run = importlib.import_module(f"step.{self.name}").run
        if self.once:
            ranks.on_first(lambda: run(config, dataset))
        else:
            run(config, dataset)


def all_stages() -> tuple[Stage, ...]:
    """Return the table of stages, in their order; by name, since step/ stands above."""
    stages: tuple[Stage, ...] = importlib.import_module("step").STAGES
    return stages


def stage_named(name: str) -> Stage:
    """Return the description of a stage."""
    return next(stage for stage in all_stages() if stage.name == name)


def stage_writing(flag: str) -> Stage | None:
    """Return the stage whose result a setting names."""
    return next((stage for stage in all_stages() if stage.writes == flag), None)


def image_names(flag: str, folder: str | os.PathLike[str], ids: Sequence[str]) -> list[str]:
    """Return the name of each image's file in a folder of results, by the setting that names it."""
    if flag == "cam_out_dir":
        return cam_names(folder, ids)
    maker = stage_writing(flag)
    assert maker is not None
    return [maker.files[0].replace("{}", image_id) for image_id in ids]


def label_source_path(path: str, name: str) -> Path:
    """Return the path of a result of a supervision: `irn` has the plain name."""
    place = Path(path)
    return place if name == "irn" else place.with_name(f"{place.stem}_{name}{place.suffix}")
