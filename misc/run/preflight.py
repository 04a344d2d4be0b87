"""Preflight: what the chosen stages read and write, checked before the first of them.

Every run checks that its stages' inputs exist or will be made by an earlier one;
`--dry_run True` reads them all, reports what would be done, and stops.
"""

import importlib
import importlib.util
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.atomic import names_in
from misc.files.cam_files import read_cams
from misc.files.dataset import Dataset
from misc.files.images import read_label
from misc.files.instance_files import load_instances
from misc.files.locks import hold
from misc.run.cam_forms import log_forms, other_names
from misc.run.ground_truth import missing_truth
from misc.run.log import logger, table
from misc.run.records import check_claim, hold_sources
from misc.run.results import known_settings
from misc.run.stage import Stage, unfilled
from misc.run.stage_files import StageFiles
from misc.run.understood import tell_understood
from misc.run.workers import map_images
from misc.settings.config import Config

SHOWN = 10
NO_TENSORBOARD = (
    "--tensorboard True: TensorBoard is not installed: pip install tensorboard, or leave the flag "
    "out; the report draws the same curves"
)
PYDENSECRF = "pydensecrf2 (on Python 3.11 or 3.12, with g++), or pass --crf torch: the same labels"
# Folders that a stage writes and another reads. Of weights see `check` in each stage's module.
READERS: Mapping[str, Callable[[Any], Any]] = {
    "cam_out_dir": read_cams,
    "ir_label_out_dir": read_label,
    "ins_seg_out_dir": load_instances,
    "sem_seg_out_dir": read_label,
}


def check_inputs(config: Config, dataset: Dataset, stages: Sequence[Stage]) -> None:
    """Check that no chosen stage will miss an input, and lock what they write and read.

    Args:
        config: the settings.
        dataset: the data set.
        stages: all stages, in their order.

    Raises:
        FileNotFoundError: the first file that no stage will have made, and the stage that makes it.
        ValueError: a list whose images do not have the ground truth that is read, or another run
            is writing the same results, reading what is to be written, or writing what is read.
        ModuleNotFoundError: a package that a later stage imports is not installed.
    """
    preflight = Preflight(config, dataset, stages)
    for _, place in preflight.claims():
        hold(place)
    hold_sources(preflight.sources())
    tell_understood(preflight, preflight.chosen)
    for error in preflight.problems():
        raise error
    preflight.log_forms()


def dry_run(config: Config, dataset: Dataset, stages: Sequence[Stage]) -> None:
    """Read all inputs of the chosen stages, and report what they would write.

    Raises:
        ValueError: some of it is missing or broken; all is listed.
    """
    preflight = Preflight(config, dataset, stages)
    tell_understood(preflight, preflight.chosen)
    problems = list(dict.fromkeys([*map(str, preflight.problems()), *preflight.broken()]))
    if not problems:
        preflight.log_forms()
    logger.info("\n%s", table(preflight.rows()))
    for problem in problems[:SHOWN]:
        logger.info("%s", problem)
    if problems:
        more = f" ({len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
        raise ValueError(
            f"--dry_run: {len(problems)} problems, listed above{more}; nothing was run"
        )
    logger.info("--dry_run: nothing is missing or broken; nothing was run")


class Preflight(StageFiles):
    """The checks of the chosen stages; see `StageFiles` for the arguments."""

    def __init__(self, config: Config, dataset: Dataset, stages: Sequence[Stage]) -> None:
        super().__init__(config, dataset, stages)
        self.chosen = [stage for stage in stages if config.runs_stage(stage.flag)]

    def problems(self) -> Iterator[Exception]:
        """Yield an error for each need that neither the disk nor an earlier stage meets."""
        if self.config.tensorboard and any(s.name.startswith("train_") for s in self.chosen):
            yield from _not_installed("tensorboard", NO_TENSORBOARD)
        yield from self._without_annotations()
        yield from self._without_truth()
        yield from self._without_a_class()
        coming: dict[Path, set[str]] = {}
        weights: set[Path] = set()
        for stage in self.chosen:
            if self._is_crf_external(stage):
                words = f"{stage.name} needs pydensecrf.densecrf: pip install {PYDENSECRF}"
                yield from _not_installed("pydensecrf.densecrf", words)
            if stage.batch and (error := unfilled(self.config, stage.batch, len(self.ids(stage)))):
                yield error
            yield from self._missing(stage, coming)
            yield from self._unfit(stage, weights)
            for folder, names in self.outputs(stage):
                coming.setdefault(folder, set()).update(names)
                weights.update(folder / name for name in names if not stage.files)
        yield from self._claimed()

    def claims(self) -> Iterator[tuple[Stage, Path]]:
        """Yield the folders and weights that a run of the stages claims for its settings."""
        for stage in self.chosen:
            yield from ((stage, place) for place in self.places(stage))

    def sources(self) -> Iterator[Path]:
        """Yield the folders and weights that the stages read."""
        for stage in self.chosen:
            for flag, (folder, names) in self.inputs(stage):
                yield from [folder] if flag in READERS else [folder / name for name in names]

    def log_forms(self) -> None:
        """Log the forms of the CAM files that are read."""
        readers = [stage for stage in self.chosen if "cam_out_dir" in dict(self.inputs(stage))]
        ids = dict.fromkeys(image_id for stage in readers for image_id in self.ids(stage))
        log_forms(self.config, self.dataset, list(ids))

    def _without_annotations(self) -> Iterator[Exception]:
        labelled = [i for stage in self.chosen if stage.image_labels for i in self.images(stage)]
        labelled = list(dict.fromkeys(labelled))
        annotated = set(self.dataset.with_labels(labelled))
        bare = [image_id for image_id in labelled if image_id not in annotated]
        if bare:
            yield FileNotFoundError(
                f"{len(bare)} of {len(labelled)} images have no annotation, the first is "
                f"{bare[0]!r}: --train_list, --val_list and --infer_list take images with "
                "image-level labels"
            )

    def _without_truth(self) -> Iterator[Exception]:
        """Yield an error for each list without the ground truth that is read, once."""
        said = set()
        for stage in self.chosen:
            for flag in self.truth_lists(stage):
                ids = self.split(self.values[flag])
                # Where none is needed, too: what is there may be of a wrong form.
                found = self.with_truth(stage, ids)
                source, wanted = f"--{flag} {self.values[flag]}", "reads that of all"
                is_enough = len(found) == len(ids) or self.dataset.may_lack_truth
                if flag != stage.measures:
                    source, wanted = f"{source} --supervision full", "none to train on"
                    is_enough = bool(found)
                if not is_enough and source not in said:
                    said.add(source)
                    about = {"stage": stage.name, "source": source, "wanted": wanted}
                    kinds = self.kinds(stage)
                    yield ValueError(missing_truth(self.dataset, ids, found, kinds, **about))

    def _without_a_class(self) -> Iterator[Exception]:
        """Yield an error where the images to learn classes from show none."""
        for stage in self.chosen:
            if not (stage.image_labels and stage.batch):
                continue
            ids = self.ids(stage)
            # The first image ends it, where there is anything to learn.
            if ids and not any(map(self._may_show, self.dataset.with_labels(ids))):
                yield ValueError(
                    f"--{stage.lists[0]} {self.values[stage.lists[0]]}: none of its {len(ids)} "
                    f"images shows a class, and {stage.name} learns classes; name a list of images "
                    "with labels, or look whether these are all that the data set has"
                )

    def _may_show(self, image_id: str) -> bool:
        try:
            return bool(self.dataset.image_labels([image_id]).any())
        except (ValueError, OSError):
            return True  # broken: told where it is read

    def _is_crf_external(self, stage: Stage) -> bool:
        return self.config.crf == "pydensecrf" and bool(stage.crf and self.values[stage.crf])

    def _missing(self, stage: Stage, coming: Mapping[Path, set[str]]) -> Iterator[Exception]:
        for flag, (folder, names) in self.inputs(stage):
            missing = set(names).difference(names_in(folder), coming.get(folder, ()))
            if not missing:
                continue
            first = next(folder / name for name in names if name in missing)
            remedy = "accepted are imagenet, none, or a file of the backbone's weights"
            if flag in self.makers:
                maker = self.makers[flag]
                remedy = (
                    f"the stage {maker.name} makes it: --{maker.flag} True, or name a place that "
                    f"has it{other_names(folder, names) if flag == 'cam_out_dir' else ''}"
                )
            yield FileNotFoundError(
                f"--{flag}: {first} is missing ({len(missing)} of {len(names)} missing), and "
                f"{stage.name} reads it; {remedy}"
            )

    def _unfit(self, stage: Stage, coming: Collection[Path]) -> Iterator[Exception]:
        """Yield the error of the function `check` that a stage's module may have.

        It is called with the settings, the data set, and the weights that earlier stages write.
        """
        check = getattr(importlib.import_module(f"step.{stage.name}"), "check", None)
        if check is not None:
            try:
                check(self.config, self.dataset, coming)
            except (ValueError, OSError) as error:
                yield error

    def _claimed(self) -> Iterator[Exception]:
        """Yield an error for each output that other settings claim, as far as they are known.

        What an earlier stage's results decide is found out when the stage starts.
        """
        for stage, place in self.claims():
            try:
                known = known_settings(self.config, stage.name)
                overwrite = self.config.overwrite
                check_claim(place, known, overwrite=overwrite, is_partial=True)
            except ValueError as error:
                yield error

    def broken(self) -> list[str]:
        """Read every file that is there to be read; return the problems found."""
        readers: dict[str, Callable[[Any], Any]] = {
            "image": self.dataset.image,
            "annotation": partial(_read_annotation, self.dataset),
            "semantic": self.dataset.semantic_label,
            "instance": self.dataset.instance_label,
            **READERS,
            "cam_out_dir": partial(read_cams, num_classes=len(self.dataset.class_names)),
        }
        items: dict[str, None] = {}
        for stage in self.chosen:
            images = self.images(stage)
            read = [("image", images)]
            read += [("annotation", self.dataset.with_labels(images))] * stage.image_labels
            read += [(kind, self.truth(stage)) for kind in self.kinds(stage)]
            for flag, (folder, names) in self.inputs(stage):
                there = names_in(folder) if flag in READERS else ()
                read.append((flag, [str(folder / name) for name in names if name in there]))
            items |= {f"{kind}\t{value}": None for kind, listed in read for value in listed}
        found = map_images(
            list(items),
            partial(_problem, readers),
            num_workers=self.config.num_workers,
            description="reading",
        )
        return [problem for _, problem in found if problem]

    def rows(self) -> list[list[str]]:
        """Return the table of what is read and written: a row for each stage, below a head."""
        rows = [["stage", "reads", "writes", "there"]]
        for stage in self.chosen:
            images = self.images(stage)
            reads = [f"{len(images)} images"] * bool(images)
            reads += [f"{len(images)} annotations"] * stage.image_labels
            truth = self.truth(stage)
            reads += [f"{len(truth)} segmentation labels"] * bool(truth)
            reads += [f"{len(names)} of --{flag}" for flag, (_, names) in self.inputs(stage)]
            written = self.outputs(stage)
            count = sum(len(names) for _, names in written)
            there = sum(len(names_in(folder).intersection(names)) for folder, names in written)
            writes = "measures"
            if stage.writes:
                writes = f"{count} in {written[0][0]}" if written else self.values[stage.writes]
            rows.append([stage.name, ", ".join(reads), writes, str(there) if written else ""])
        return rows


def _problem(readers: Mapping[str, Callable[[Any], Any]], item: str) -> str:
    kind, value = item.split("\t", 1)
    try:
        readers[kind](value)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _read_annotation(dataset: Dataset, image_id: str) -> None:
    dataset.image_labels([image_id])


def _not_installed(module: str, words: str) -> Iterator[Exception]:
    try:
        is_there = importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        is_there = False
    if not is_there:
        yield ModuleNotFoundError(words)
