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
from misc.run.log import logger, table
from misc.run.open_dataset import missing_truth
from misc.run.records import check_claim, hold_sources
from misc.run.results import known_settings
from misc.run.stage import stage_writing
from misc.run.stage_files import StageFiles, chosen_stages, each_once
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


def check_inputs(config: Config, dataset: Dataset) -> dict[str, list[Path]]:
    """Check that no chosen stage will miss an input, and lock what they write and read.

    It returns the folders and weights that each stage writes, which are locked for this run alone.

    Raises:
        ValueError, OSError, ModuleNotFoundError: the first problem, in one line.
    """
    stages = chosen_stages(config, dataset)
    claims = {each.stage.name: each.claims() for each in stages}
    for places in claims.values():
        for place in places:
            hold(place)
    hold_sources(place for each in stages for place in each.sources())
    tell_understood(dataset, stages)
    for error in problems(config, dataset, stages):
        raise error
    log_forms(config, dataset, _cams_read(stages))
    return claims


def dry_run(config: Config, dataset: Dataset) -> None:
    """Read all inputs of the chosen stages, and report what they would write, and all problems."""
    stages = chosen_stages(config, dataset)
    tell_understood(dataset, stages)
    found = list(map(str, problems(config, dataset, stages)))
    found = list(dict.fromkeys([*found, *broken_files(config, dataset, stages)]))
    if not found:
        log_forms(config, dataset, _cams_read(stages))
    rows = [_row(dataset, each) for each in stages]
    logger.info("\n%s", table([("stage", "reads", "writes", "there"), *rows]))
    for problem in found[:SHOWN]:
        logger.info("%s", problem)
    if found:
        more = f" ({len(found) - SHOWN} more)" if len(found) > SHOWN else ""
        raise ValueError(f"--dry_run: {len(found)} problems, listed above{more}; nothing was run")
    logger.info("--dry_run: nothing is missing or broken; nothing was run")


def problems(config: Config, dataset: Dataset, stages: Sequence[StageFiles]) -> Iterator[Exception]:
    """Yield an error for each need that neither the disk nor an earlier stage meets."""
    if config.tensorboard and any(each.stage.name.startswith("train_") for each in stages):
        yield from _not_installed("tensorboard", NO_TENSORBOARD)
    yield from _without_annotations(dataset, stages)
    yield from _without_truth(dataset, stages)
    yield from _without_a_class(dataset, stages)
    coming: dict[Path, set[str]] = {}
    weights: set[Path] = set()
    for each in stages:
        if each.stage.crf and vars(config)[each.stage.crf] and config.crf == "pydensecrf":
            words = f"{each.stage.name} needs pydensecrf.densecrf: pip install {PYDENSECRF}"
            yield from _not_installed("pydensecrf.densecrf", words)
        yield from _unfilled(each)
        yield from _missing(each, coming)
        yield from _unfit(each, weights)
        for folder, names in each.outputs():
            coming.setdefault(folder, set()).update(names)
            weights.update(folder / name for name in names if not each.stage.files)
    for each in stages:
        yield from _claimed(each)


def broken_files(config: Config, dataset: Dataset, stages: Sequence[StageFiles]) -> list[str]:
    """Read every file that is there to be read; return the problems found."""
    readers: dict[str, Callable[[Any], Any]] = {
        "image": dataset.image,
        "annotation": partial(_read_annotation, dataset),
        "semantic": dataset.semantic_label,
        "instance": dataset.instance_label,
        **READERS,
        "cam_out_dir": partial(read_cams, num_classes=len(dataset.class_names)),
    }
    items: dict[str, None] = {}
    for each in stages:
        read = [("image", each.images)]
        read += [("annotation", dataset.with_labels(each.images))] * each.stage.image_labels
        read += [(kind, each_once(each.truth.values())) for kind in each.kinds]
        for flag, (folder, names) in each.inputs():
            there = names_in(folder) if flag in READERS else ()
            read.append((flag, [str(folder / name) for name in names if name in there]))
        items |= {f"{kind}\t{value}": None for kind, listed in read for value in listed}
    found = map_images(
        list(items),
        partial(_problem, readers),
        num_workers=config.num_workers,
        description="reading",
    )
    return [problem for _, problem in found if problem]


def _cams_read(stages: Sequence[StageFiles]) -> list[str]:
    return each_once(each.ids for each in stages if "cam_out_dir" in dict(each.inputs()))


def _row(dataset: Dataset, each: StageFiles) -> tuple[str, ...]:
    """Return stage, what it reads, what it writes, and how much of it is there."""
    images, truth = each.images, each_once(each.truth.values())
    reads = [f"{len(images)} images"] * bool(images)
    reads += [f"{len(images)} annotations"] * each.stage.image_labels
    reads += [f"{len(truth)} segmentation labels"] * bool(truth)
    reads += [f"{len(names)} of --{flag}" for flag, (_, names) in each.inputs()]
    written = list(each.outputs())
    count = sum(len(names) for _, names in written)
    there = sum(len(names_in(folder).intersection(names)) for folder, names in written)
    writes = "measures"
    if each.stage.writes:
        named = vars(each.config)[each.stage.writes]
        writes = f"{count} in {written[0][0]}" if written else named
    return each.stage.name, ", ".join(reads), writes, str(there) if written else ""


def _without_annotations(dataset: Dataset, stages: Sequence[StageFiles]) -> Iterator[Exception]:
    labelled = each_once(each.images for each in stages if each.stage.image_labels)
    annotated = set(dataset.with_labels(labelled))
    bare = [image_id for image_id in labelled if image_id not in annotated]
    if bare:
        yield FileNotFoundError(
            f"{len(bare)} of {len(labelled)} images have no annotation, the first is {bare[0]!r}: "
            "--train_list, --val_list and --infer_list take images with image-level labels"
        )


def _without_truth(dataset: Dataset, stages: Sequence[StageFiles]) -> Iterator[Exception]:
    """Yield an error for each list without the ground truth that is read, once."""
    said = set()
    for each in stages:
        for flag, ids in each.truth_lists.items():
            # Where none is needed, too: what is there may be of a wrong form.
            found = each.truth[flag]
            source, wanted = f"--{flag} {vars(each.config)[flag]}", "reads that of all"
            is_enough = len(found) == len(ids) or dataset.may_lack_truth
            if flag != each.stage.measures:
                source, wanted = f"{source} --supervision full", "none to train on"
                is_enough = bool(found)
            if not is_enough and source not in said:
                said.add(source)
                about = {"stage": each.stage.name, "source": source, "wanted": wanted}
                yield ValueError(missing_truth(dataset, ids, found, each.kinds, **about))


def _without_a_class(dataset: Dataset, stages: Sequence[StageFiles]) -> Iterator[Exception]:
    """Yield an error where the images to learn classes from show none."""
    for each in stages:
        if not (each.stage.image_labels and each.stage.batch and each.ids):
            continue
        # The first image ends it, where there is anything to learn.
        if not any(map(partial(_may_show, dataset), dataset.with_labels(each.ids))):
            flag = each.stage.lists[0]
            yield ValueError(
                f"--{flag} {vars(each.config)[flag]}: none of its {len(each.ids)} images shows a "
                f"class, and {each.stage.name} learns classes; name a list of images with labels, "
                "or look whether these are all that the data set has"
            )


def _may_show(dataset: Dataset, image_id: str) -> bool:
    try:
        return bool(dataset.image_labels([image_id]).any())
    except (ValueError, OSError):
        return True  # broken: told where it is read


def _unfilled(each: StageFiles) -> Iterator[Exception]:
    """Yield an error where its list does not fill a batch; with --limit a batch is as small."""
    flag = each.stage.batch
    if not flag or (each.config.limit is not None and each.ids):
        return
    asked, images, listed = vars(each.config)[flag], len(each.ids), each.stage.lists[0]
    if images < asked:
        yield ValueError(
            f"--{flag} {asked}: a batch of {asked} images cannot be made of {images}, those of "
            f"--{listed} {vars(each.config)[listed]}: pass a smaller batch size or a longer list"
        )


def _missing(each: StageFiles, coming: Mapping[Path, set[str]]) -> Iterator[Exception]:
    for flag, (folder, names) in each.inputs():
        missing = set(names).difference(names_in(folder), coming.get(folder, ()))
        if not missing:
            continue
        first = next(folder / name for name in names if name in missing)
        remedy = "accepted are imagenet, none, or a file of the backbone's weights"
        if maker := stage_writing(flag):
            remedy = (
                f"the stage {maker.name} makes it: --{maker.flag} True, or name a place that "
                f"has it{other_names(folder, names) if flag == 'cam_out_dir' else ''}"
            )
        yield FileNotFoundError(
            f"--{flag}: {first} is missing ({len(missing)} of {len(names)} missing), and "
            f"{each.stage.name} reads it; {remedy}"
        )


def _unfit(each: StageFiles, coming: Collection[Path]) -> Iterator[Exception]:
    """Yield the error of the function `check` that a stage's module may have.

    It is called with the settings, the data set, and the weights that earlier stages write.
    """
    check = getattr(importlib.import_module(f"step.{each.stage.name}"), "check", None)
    if check is not None:
        try:
            check(each.config, each.dataset, coming)
        except (ValueError, OSError) as error:
            yield error


def _claimed(each: StageFiles) -> Iterator[Exception]:
    """Yield an error for each output that other settings claim, as far as they are known.

    What an earlier stage's results decide is found out when the stage starts.
    """
    for place in each.claims():
        known = known_settings(each.config, each.stage.name)
        try:
            check_claim(place, known, overwrite=each.config.overwrite, is_partial=True)
        except ValueError as error:
            yield error


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
