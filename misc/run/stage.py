"""A stage of a run, described once: what it reads and writes follows from the description."""

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from misc.files.cam_formats import cam_names
from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.run.log import logger
from misc.settings.config import CAM_METHODS, Config

# The setting that names relation labels which an earlier run made.
EARLIER_LABELS = "amn_label_dir"


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
        """Return `reads` with the network that makes the maps of the run's --cam_method.

        Without those that only another method's network has.
        """
        network = CAM_METHODS[config.cam_method]
        names = [name.format(map_network=network) for name in self.reads]
        return [name for name in names if name in vars(config)]

    def run(self, config: Config, dataset: Dataset) -> None:
        """Run the stage."""
        run = importlib.import_module(f"step.{self.name}").run
        if self.once:
            ranks.on_first(lambda: run(config, dataset))
        else:
            run(config, dataset)


@dataclass(frozen=True)
class Files:
    """Files that a stage reads or writes.

    Attributes:
        flag: the setting that names their place.
        folder: where they are.
        names: in the folder. (Paths of 120,000 images would take seconds a stage.)
        of_images: whether they are images' files, which one record in their folder describes; else
            each has its own record beside it.
    """

    flag: str
    folder: Path
    names: Sequence[str]
    of_images: bool

    @property
    def places(self) -> list[Path]:
        """The folder or files that have a record, and are locked."""
        return [self.folder] if self.of_images else [self.folder / name for name in self.names]


class StageFiles:
    """The images and files that a stage, by its row in the table, reads and writes in a run."""

    def __init__(
        self,
        stage: str,
        config: Config,
        dataset: Dataset,
        split: Callable[[str], list[str]] | None = None,
    ) -> None:
        self.row, self.config, self.dataset = stage_named(stage), config, dataset
        self._split = split or dataset.split
        # Of the ground truth that an image must have to be measured.
        self.kinds = self.row.truth[:1] if dataset.may_lack_truth else self.row.truth

    def value(self, flag: str) -> Any:
        """Return the value of a setting."""
        return vars(self.config)[flag]

    def _listed(self, flag: str) -> list[str]:
        """Return the images of a list; an error that is of its name begins with the flag."""
        name = self.value(flag)
        try:
            return self._split(name)
        except (ValueError, OSError) as error:
            if repr(name) not in str(error):  # it names a file of the data
                raise
            raise ValueError(f"--{flag}: {error}") from error

    @cached_property
    def lists(self) -> dict[str, list[str]]:
        """The images of each list that it reads, by the setting that names it."""
        evaluates = self.config.runs_stage("eval_cam_pass")
        return {
            flag: self._listed(flag)
            for flag in self.row.lists
            if self.value(flag) and (evaluates or flag != "chainer_eval_set")
        }

    @cached_property
    def truth_lists(self) -> dict[str, list[str]]:
        """The images of each list whose ground truth it reads; of infer_list it learns."""
        is_learnt = self.row.supervised and "full" in self.config.supervision
        learnt = ["infer_list"] * (is_learnt and "infer_list" in self.row.lists)
        flags = [*[self.row.measures] * bool(self.row.measures), *learnt]
        return {flag: self._listed(flag) for flag in flags}

    @cached_property
    def truth(self) -> dict[str, list[str]]:
        """Those images of each of these lists that have the ground truth."""
        with_truth = partial(self.dataset.with_truth, kinds=self.kinds)
        return {flag: with_truth(ids) for flag, ids in self.truth_lists.items()}

    @property
    def images(self) -> list[str]:
        """The images that it reads, each once."""
        return each_once(self.lists.values())

    @property
    def ids(self) -> list[str]:
        """The images of which it reads what other stages make, and of which it learns."""
        measured = self.truth if self.dataset.may_lack_truth else self.truth_lists
        return next(iter((self.lists or measured).values()), [])

    def inputs(self) -> Iterator[Files]:
        """Yield what it reads that is made before."""
        for flag in self.row.reads_of(self.config):
            if self.row.supervised and flag.endswith("_out_dir"):
                source = "cam" if flag == "cam_out_dir" else "irn"
                if source not in self.config.supervision:
                    continue
            if flag == "pretrained" and self.config.pretrained in ("imagenet", "none"):
                if self.config.pretrained == "imagenet" or self.row.name == "train_cam":
                    continue
                # From scratch, the other networks begin with the classification network's backbone.
                flag = "cam_weights_name"
            place, maker = Path(self.value(flag)), stage_writing(flag)
            if maker is None:
                yield Files(flag, place.parent, [place.name], False)
            elif maker.files:
                ids = self.images if flag == EARLIER_LABELS else self.ids
                yield Files(flag, place, image_names(flag, place, ids), True)
            else:
                yield self._weights(maker)

    def outputs(self) -> Iterator[Files]:
        """Yield what it writes that has a record; of an image, its first file."""
        if self.row.writes.endswith("_weights_name"):
            yield self._weights(self.row)
        if not self.row.files:
            return
        for is_server in (False, True):
            flag = self.row.writes
            flag = flag.replace("_out_dir", "_server_dir") if is_server else flag
            lists = [ids for name, ids in self.lists.items() if ("_server_" in name) == is_server]
            names = [self.row.files[0].replace("{}", i) for i in each_once(lists)]
            for source in self._sources(self.row) if names else ():
                yield Files(flag, label_source_path(self.value(flag), source), names, True)

    def measured_images(self) -> list[str]:
        """Return the images with the ground truth that it reads, and log how many, if not all.

        Raises:
            ValueError: some lack it, in a data set in which all should have it.
        """
        for problem in self.missing_truth().values():
            raise ValueError(problem)
        flag = self.row.measures
        ids, found = self.truth_lists[flag], self.truth[flag]
        if len(found) < len(ids):
            words = "%s: %d of %d images of --%s %s have ground truth (%s), the others are left out"
            counts = len(found), len(ids)
            logger.info(
                words, self.row.name, *counts, flag, self.value(flag), " and ".join(self.kinds)
            )
        return found

    def missing_truth(self) -> dict[str, str]:
        """Describe in a line each list without the ground truth that the stage reads."""
        lacking = {}
        for flag, ids in self.truth_lists.items():
            # Where none is needed, too: what is there may be of a wrong form.
            found = self.truth[flag]
            source, wanted = f"--{flag} {self.value(flag)}", "reads that of all"
            is_enough = len(found) == len(ids) or self.dataset.may_lack_truth
            if flag != self.row.measures:
                source, wanted = f"{source} --supervision full", "none to train on"
                is_enough = bool(found)
            if not is_enough:
                known = set(found)
                first = next(image_id for image_id in ids if image_id not in known)
                lacking[flag] = (
                    f"{source}: {len(ids) - len(found)} of {len(ids)} images have no ground truth, "
                    f"and {self.row.name} {wanted}: {self._why_no_truth(first)}"
                )
        return lacking

    def _why_no_truth(self, image_id: str) -> str:
        readers = {
            "semantic": self.dataset.semantic_label,
            "instance": self.dataset.instance_label,
        }
        try:
            for kind in self.kinds:
                readers[kind](image_id)
        except FileNotFoundError as error:
            return str(error)
        return f"{image_id} has none"

    def _weights(self, maker: Stage) -> Files:
        place = Path(self.value(maker.writes))
        names = [label_source_path(place, source).name for source in self._sources(maker)]
        return Files(maker.writes, place.parent, names, False)

    def _sources(self, maker: Stage) -> Sequence[str]:
        return self.config.supervision if maker.supervised else ["irn"]


def chosen_stages(config: Config, dataset: Dataset) -> list[StageFiles]:
    """Return what each stage of a run reads and writes, in their order.

    Raises:
        ValueError: there is none.
    """
    split = cache(dataset.split)
    names = [stage.name for stage in all_stages() if config.runs_stage(stage.flag)]
    if not names:
        raise ValueError("every --..._pass is False, so there is nothing to run; leave one out")
    return [StageFiles(name, config, dataset, split) for name in names]


def all_stages() -> tuple[Stage, ...]:
    """Return the table of stages, in their order; by name, since step/ stands above."""
    stages: tuple[Stage, ...] = importlib.import_module("step").STAGES
    return stages


def stage_named(name: str) -> Stage:
    """Return the description of a stage."""
    return next(stage for stage in all_stages() if stage.name == name)


def stage_writing(flag: str) -> Stage | None:
    """Return the stage whose result a setting names, this run's or an earlier run's."""
    flag = "ir_label_out_dir" if flag == EARLIER_LABELS else flag
    return next((stage for stage in all_stages() if stage.writes == flag), None)


def image_names(flag: str, folder: str | os.PathLike[str], ids: Sequence[str]) -> list[str]:
    """Return the name of each image's file in a folder of results, by the setting that names it."""
    if flag == "cam_out_dir":
        return cam_names(folder, ids)
    maker = stage_writing(flag)
    assert maker is not None
    return [maker.files[0].replace("{}", image_id) for image_id in ids]


def label_source_path(path: str | Path, name: str) -> Path:
    """Return the path of a result of a supervision: `irn` has the plain name."""
    place = Path(path)
    return place if name == "irn" else place.with_name(f"{place.stem}_{name}{place.suffix}")


def each_once(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the images of lists, each once."""
    return list(dict.fromkeys(image_id for ids in lists for image_id in ids))
