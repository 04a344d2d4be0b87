"""Preflight: what the chosen stages read and write, checked before the first of them.

Every run checks that its stages' inputs exist or will be made by an earlier one;
`--dry_run True` reads them all, reports what would be done, and stops.
"""

import importlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.locks import hold
from misc.learning.curves import NO_TENSORBOARD
from misc.measuring.measures import table
from misc.running.cam_forms import log_forms
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Files, Plan, unfilled
from misc.running.provenance import check_claim
from misc.running.shaped import known_before
from misc.running.stage import Stage
from misc.running.truths import lacking
from misc.running.understood import tell_understood
from misc.running.workers import map_images
from misc.settings.config import Config

Plans = Sequence[tuple[str, Plan]]
SHOWN = 10


def check_inputs(config: Config, dataset: Dataset, stages: Sequence[Stage]) -> None:
    """Check that no chosen stage will miss an input, and lock what they write for this run.

    Args:
        config: the settings.
        dataset: the data set.
        stages: the chosen stages, in their order.

    Raises:
        FileNotFoundError: the first file that no stage will have made, and the stage that makes it.
        ValueError: a list whose images do not have the ground truth that is read, or another run
            is writing the same results.
        ModuleNotFoundError: a package that a later stage imports is not installed.
    """
    plans = _plans(config, dataset, stages)
    for place in (place for _, plan in plans for place in plan.claims):
        hold(place)
    tell_understood(dataset, [plan for _, plan in plans])
    for error in (*_lacking(config, dataset, plans), *_claimed(config, plans)):
        raise error
    log_forms(config, dataset, [need for _, plan in plans for need in plan.needs])


def dry_run(config: Config, dataset: Dataset, stages: Sequence[Stage]) -> None:
    """Read all inputs of the chosen stages, and report what they would write.

    Raises:
        ValueError: some of it is missing or broken, or the disk is too small; all is listed.
    """
    plans = _plans(config, dataset, stages)
    tell_understood(dataset, [plan for _, plan in plans])
    problems = [str(error) for error in _lacking(config, dataset, plans)]
    problems += [str(error) for error in _claimed(config, plans)]
    problems += _broken(dataset, plans, num_workers=config.num_workers)
    if not problems:
        log_forms(config, dataset, [need for _, plan in plans for need in plan.needs])
    logger.info("\n%s", table(_rows(dataset, plans)))
    problems += _disk(plans)
    for problem in problems[:SHOWN]:
        logger.info("%s", problem)
    if problems:
        more = f" ({len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
        raise ValueError(
            f"--dry_run: {len(problems)} problems, listed above{more}; nothing was run"
        )
    logger.info("--dry_run: nothing is missing or broken; nothing was run")


def _plans(config: Config, dataset: Dataset, stages: Sequence[Stage]) -> Plans:
    return [(stage.name, stage.plan(config, dataset)) for stage in stages]


def _lacking(config: Config, dataset: Dataset, plans: Plans) -> Iterator[Exception]:
    """Yield an error for each need that neither the disk nor an earlier stage meets."""
    trains = any(name.startswith("train_") for name, _ in plans)
    if config.tensorboard and trains and not _can_import("tensorboard"):
        yield ModuleNotFoundError(NO_TENSORBOARD)
    yield from _lacking_labels(dataset, plans)
    yield from _without_a_class(config, dataset, plans)
    coming: dict[Path, set[str]] = {}
    for name, plan in plans:
        for module, package in plan.modules.items():
            if not _can_import(module):
                yield ModuleNotFoundError(f"{name} needs {module}: pip install {package}")
        for flag, images in plan.batches.items():
            if error := unfilled(config, flag, images):
                yield error
        for need in plan.needs:
            files = need.files
            missing = set(files.names).difference(files.there, coming.get(files.folder, ()))
            if missing:
                first = next(files.folder / each for each in files.names if each in missing)
                yield FileNotFoundError(
                    f"--{need.flag}: {first} is missing ({len(missing)} of "
                    f"{len(files.names)} missing), and {name} reads it; {need.remedy}"
                )
        written = {folder / each for folder, names in coming.items() for each in names}
        for check in plan.networks:
            try:
                check(written)
            except (ValueError, OSError) as error:
                yield error
        for files in plan.writes:
            coming.setdefault(files.folder, set()).update(files.names)


def _claimed(config: Config, plans: Plans) -> Iterator[ValueError]:
    """Yield an error for each output that is claimed by other settings, as far as they are known.

    What an earlier stage's results decide is found out when the stage starts.
    """
    for name, plan in plans:
        for place in plan.claims:
            try:
                known = known_before(config, name)
                check_claim(place, name, known, overwrite=config.overwrite)
            except ValueError as error:
                yield error


def _lacking_labels(dataset: Dataset, plans: Plans) -> Iterator[Exception]:
    """Yield an error for each list with missing annotations or ground truth, once."""
    labelled = list(dict.fromkeys(i for _, plan in plans for i in plan.labelled))
    annotated = set(dataset.with_labels(labelled))
    bare = [image_id for image_id in labelled if image_id not in annotated]
    if bare:
        yield FileNotFoundError(
            f"{len(bare)} of {len(labelled)} images have no annotation, the first is {bare[0]!r}: "
            "--train_list, --val_list and --infer_list take images with image-level labels"
        )
    said = set()
    for name, plan in plans:
        for truths in plan.truths:
            error = lacking(dataset, truths, name)
            if error is not None and (truths.flag, truths.name) not in said:
                said.add((truths.flag, truths.name))
                yield error


def _without_a_class(config: Config, dataset: Dataset, plans: Plans) -> Iterator[ValueError]:
    """Yield an error for each list to learn from of which no image shows a class."""
    for name, plan in plans:
        for flag, ids in plan.learnt.items():
            # The first image ends it, where there is anything to learn.
            if ids and not any(_may_show(dataset, i) for i in dataset.with_labels(ids)):
                yield ValueError(
                    f"--{flag} {vars(config)[flag]}: none of its {len(ids)} images shows a "
                    f"class, and {name} learns classes; name a list of images with labels, or look "
                    "whether these are all that the data set has"
                )


def _may_show(dataset: Dataset, image_id: str) -> bool:
    try:
        return bool(dataset.image_labels([image_id]).any())
    except (ValueError, OSError):
        return True  # broken: told where it is read


def _broken(dataset: Dataset, plans: Plans, *, num_workers: int) -> list[str]:
    """Read every existing file that the plans read; return the problems found."""
    readers: dict[str, Callable[[Any], Any]] = {
        "image": dataset.image,
        "annotation": partial(_annotation, dataset),
        "semantic": dataset.semantic_label,
        "instance": dataset.instance_label,
    }
    items: dict[str, None] = {}
    for _, plan in plans:
        ids = [("image", plan.images), ("annotation", dataset.with_labels(plan.labelled))]
        for truths in plan.truths:
            there = dataset.with_truth(truths.ids, kinds=truths.kinds)
            ids += [(kind, there) for kind in truths.kinds]
        items |= {f"{kind}\t{i}": None for kind, listed in ids for i in listed}
        for need in plan.needs:
            readers[need.flag] = need.read
            items |= {f"{need.flag}\t{need.files.folder / n}": None for n in need.files.there}
    load = partial(_problem, readers)
    found = map_images(list(items), load, num_workers=num_workers, description="reading")
    return [problem for _, problem in found if problem]


def _problem(readers: Mapping[str, Callable[[Any], Any]], item: str) -> str:
    kind, value = item.split("\t", 1)
    try:
        readers[kind](value)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _annotation(dataset: Dataset, image_id: str) -> None:
    dataset.image_labels([image_id])


def _rows(dataset: Dataset, plans: Plans) -> list[list[str]]:
    rows = [["stage", "reads", "writes", "there", "to be made, MB"]]
    for name, plan in plans:
        reads = [f"{len(plan.images)} images"] * bool(plan.images)
        reads += [f"{len(plan.labelled)} annotations"] * bool(plan.labelled)
        truths = {i for t in plan.truths for i in dataset.with_truth(t.ids, kinds=t.kinds)}
        reads += [f"{len(truths)} segmentation labels"] * bool(truths)
        reads += [f"{len(need.files.names)} of --{need.flag}" for need in plan.needs]
        there = sum(len(files.there) for files in plan.writes)
        count = sum(len(files.names) for files in plan.writes)
        writes = f"{count} in {_common_folder(plan.writes)}" if plan.writes else "measures"
        size = f"{_bytes_to_come(plan) / 1e6:.1f}" if plan.writes else ""
        rows.append([name, ", ".join(reads), writes, str(there), size])
    return rows


def _common_folder(writes: Sequence[Files]) -> str:
    """Return the common folder of files, absolute where any of them is."""
    folders = {files.folder for files in writes}
    if any(folder.is_absolute() for folder in folders):
        folders = {folder.absolute() for folder in folders}
    return os.path.commonpath(folders) if folders else ""


def _bytes_to_come(plan: Plan) -> int:
    there = [(files.folder / n).stat().st_size for files in plan.writes for n in files.there]
    each = sum(there) // len(there) if there else plan.bytes_each
    return (sum(len(files.names) for files in plan.writes) - len(there)) * each


def _disk(plans: Plans) -> list[str]:
    """Compare the size of the outputs with the free space, by disk, so that links count too."""
    needed: dict[int, int] = {}
    free: dict[int, tuple[int, Path]] = {}
    for _, plan in plans:
        if plan.writes:
            place = plan.writes[0].folder.absolute()
            folder = next(p for p in (place, *place.parents) if p.is_dir())
            disk = folder.stat().st_dev
            needed[disk] = needed.get(disk, 0) + _bytes_to_come(plan)
            free[disk] = (shutil.disk_usage(folder).free, folder)
    problems = []
    for disk, size in needed.items():
        space, folder = free[disk]
        words = f"some {size / 1e6:.0f} MB are to be written, {space / 1e6:.0f} MB are free"
        logger.info("disk of %s: %s", folder, words)
        if size > space:
            problems.append(f"the disk of {folder} is too small: {words}")
    return problems


def _can_import(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False
