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
from misc.files.labels import load_instances
from misc.files.locks import hold
from misc.run.log import logger, table
from misc.run.records import check_claim, hold_sources
from misc.run.results import known_settings, other_method
from misc.run.stage import EARLIER_LABELS, StageFiles, each_once, stage_writing
from misc.run.understood import other_names, tell_cam_forms, tell_overview, tell_understood
from misc.run.workers import map_images

SHOWN = 10
# What runs need that is not in requirements.txt: the module, and what to do without it.
OPTIONAL = {
    "tensorboard": "--tensorboard True: TensorBoard is not installed: pip install tensorboard, or "
    "leave the flag out; the report draws the same curves",
    "pydensecrf.densecrf": "{stage} needs pydensecrf.densecrf: pip install pydensecrf2 (on Python "
    "3.11 or 3.12, with g++), or pass --crf torch: the same labels",
}


def check_inputs(stages: Sequence[StageFiles]) -> dict[str, list[Path]]:
    """Check that no chosen stage will miss an input, and lock what they write and read.

    It returns the folders and weights that each stage writes, which are locked for this run alone.

    Raises:
        ValueError, OSError: the first problem, in one line.
    """
    claims = {
        each.row.name: [place for files in each.outputs() for place in files.places]
        for each in stages
    }
    for places in claims.values():
        for place in places:
            hold(place)
    hold_sources(place for each in stages for files in each.inputs() for place in files.places)
    tell_understood(stages)
    for problem in problems(stages):
        raise ValueError(problem)
    tell_cam_forms(stages)
    return claims


def dry_run(stages: Sequence[StageFiles]) -> None:
    """Read all inputs of the chosen stages, and report what they would write, and all problems."""
    tell_understood(stages)
    tell_overview(stages[0].dataset, each_once(each.images for each in stages))
    found = list(dict.fromkeys([*problems(stages), *broken_files(stages)]))
    if not found:
        tell_cam_forms(stages)
    logger.info("\n%s", table([("stage", "reads", "writes", "there"), *map(_row, stages)]))
    for problem in found[:SHOWN]:
        logger.info("%s", problem)
    if found:
        more = f" ({len(found) - SHOWN} more)" if len(found) > SHOWN else ""
        count = f"{len(found)} problem{'s' * (len(found) > 1)}"
        raise ValueError(f"--dry_run: {count}, listed above{more}; nothing was run")
    logger.info("--dry_run: nothing is missing or broken; nothing was run")


def problems(stages: Sequence[StageFiles]) -> Iterator[str]:
    """Yield a line for each need that neither the disk nor an earlier stage meets."""
    yield from _without_annotations(stages)
    lacking: dict[str, str] = {}
    for each in reversed(stages):
        lacking |= each.missing_truth()  # a list is said once, of the first stage that reads it
    yield from lacking.values()
    coming: dict[Path, set[str]] = {}
    weights: set[Path] = set()
    for each in stages:
        yield from _not_installed(each)
        yield from _without_a_class(each)
        yield from _unfilled(each)
        yield from _missing(each, coming)
        yield from _of_other_method(each, coming)
        yield from _unfit(each, weights)
        for files in each.outputs():
            coming.setdefault(files.folder, set()).update(files.names)
            weights.update(() if files.of_images else files.places)
    for each in stages:
        yield from _claimed(each)


def broken_files(stages: Sequence[StageFiles]) -> list[str]:
    """Read every file that is there to be read; return the problems found."""
    items: dict[str, None] = {}
    for each in stages:
        read = [("image", each.images)]
        if each.row.image_labels:
            read.append(("annotation", each.dataset.with_labels(each.images)))
        read += [(kind, each_once(each.truth.values())) for kind in each.kinds]
        for files in each.inputs():
            # Of weights see `check` in each stage's module.
            there = names_in(files.folder) if files.of_images else ()
            read.append((files.flag, [str(files.folder / n) for n in files.names if n in there]))
        items |= {f"{kind}\t{value}": None for kind, listed in read for value in listed}
    found = map_images(
        list(items),
        partial(_problem_of, stages[0].dataset),
        num_workers=stages[0].config.num_workers,
        description="reading",
    )
    return [problem for _, problem in found if problem]


def _problem_of(dataset: Dataset, item: str) -> str:
    """Return why a file, or what a data set has of an image, cannot be read; else nothing."""
    kind, value = item.split("\t", 1)
    readers: Mapping[str, Callable[[str], Any]] = {
        "image": dataset.image,
        "annotation": lambda image_id: dataset.image_labels([image_id]),
        "semantic": dataset.semantic_label,
        "instance": dataset.instance_label,
        "cam_out_dir": partial(read_cams, num_classes=len(dataset.class_names)),
        "ir_label_out_dir": read_label,
        EARLIER_LABELS: read_label,
        "ins_seg_out_dir": load_instances,
        "sem_seg_out_dir": read_label,
    }
    try:
        readers[kind](value)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _row(each: StageFiles) -> tuple[str, ...]:
    """Return stage, what it reads, what it writes, and how much of it is there."""
    images, truth = each.images, each_once(each.truth.values())
    reads = [f"{len(images)} images"] * bool(images)
    reads += [f"{len(images)} annotations"] * each.row.image_labels
    reads += [f"{len(truth)} segmentation labels"] * bool(truth)
    reads += [f"{len(files.names)} of --{files.flag}" for files in each.inputs()]
    written = list(each.outputs())
    count = sum(len(files.names) for files in written)
    there = sum(len(names_in(files.folder).intersection(files.names)) for files in written)
    writes = each.value(each.row.writes) if each.row.writes else "measures"
    writes = f"{count} in {written[0].folder}" if written else writes
    return each.row.name, ", ".join(reads), writes, str(there) if written else ""


def _without_annotations(stages: Sequence[StageFiles]) -> Iterator[str]:
    labelled = each_once(each.images for each in stages if each.row.image_labels)
    annotated = set(stages[0].dataset.with_labels(labelled))
    bare = [image_id for image_id in labelled if image_id not in annotated]
    if bare:
        yield (
            f"{len(bare)} of {len(labelled)} images have no annotation, the first is {bare[0]!r}: "
            "--train_list, --val_list and --infer_list take images with image-level labels"
        )


def _not_installed(each: StageFiles) -> Iterator[str]:
    """Yield what to do about a package that a stage needs, and that is not installed."""
    config, needed = each.config, []
    if config.tensorboard and each.row.name.startswith("train_"):
        needed.append("tensorboard")
    if config.crf == "pydensecrf" and each.row.crf and each.value(each.row.crf):
        needed.append("pydensecrf.densecrf")
    for module in needed:
        try:
            is_there = importlib.util.find_spec(module) is not None
        except (ModuleNotFoundError, ValueError):
            is_there = False
        if not is_there:
            yield OPTIONAL[module].format(stage=each.row.name)


def _without_a_class(each: StageFiles) -> Iterator[str]:
    """Yield an error where the images to learn classes from show none."""
    if not (each.row.image_labels and each.row.batch and each.ids):
        return
    # The first image ends it, where there is anything to learn.
    if not any(map(partial(_may_show, each.dataset), each.dataset.with_labels(each.ids))):
        flag = each.row.lists[0]
        yield (
            f"--{flag} {each.value(flag)}: none of its {len(each.ids)} images shows a class, and "
            f"{each.row.name} learns classes; name a list of images with labels, or look "
            "whether these are all that the data set has"
        )


def _may_show(dataset: Dataset, image_id: str) -> bool:
    try:
        return bool(dataset.image_labels([image_id]).any())
    except (ValueError, OSError):
        return True  # broken: told where it is read


def _unfilled(each: StageFiles) -> Iterator[str]:
    """Yield an error where its list does not fill a batch; with --limit a batch is as small."""
    flag = each.row.batch
    if not flag or (each.config.limit is not None and each.ids):
        return
    asked, images, listed = each.value(flag), len(each.ids), each.row.lists[0]
    if images < asked:
        yield (
            f"--{flag} {asked}: a batch of {asked} images cannot be made of {images}, those of "
            f"--{listed} {each.value(listed)}: pass a smaller batch size or a longer list"
        )


def _missing(each: StageFiles, coming: Mapping[Path, set[str]]) -> Iterator[str]:
    for files in each.inputs():
        flag, folder, names = files.flag, files.folder, files.names
        missing = set(names).difference(names_in(folder), coming.get(folder, ()))
        if not missing:
            continue
        first = next(folder / name for name in names if name in missing)
        remedy = "accepted are imagenet, none, or a file of the backbone's weights"
        if flag == EARLIER_LABELS:
            remedy = (
                "accepted is --ir_label_out_dir of an earlier run with another --cam_method, whose "
                "stage cam_to_ir_label makes them of its --train_list"
            )
        elif maker := stage_writing(flag):
            remedy = (
                f"the stage {maker.name} makes it: --{maker.flag} True, or name a place that "
                f"has it{other_names(folder, names) if flag == 'cam_out_dir' else ''}"
            )
        yield (
            f"--{flag}: {first} is missing ({len(missing)} of {len(names)} missing), and "
            f"{each.row.name} reads it; {remedy}"
        )


def _of_other_method(each: StageFiles, coming: Collection[Path]) -> Iterator[str]:
    """Yield an error for a folder whose maps the method's thresholds are not for."""
    for files in each.inputs():
        if files.flag not in ("cam_out_dir", "ir_label_out_dir") or files.folder in coming:
            continue
        if problem := other_method(files.flag, files.folder, each.config.cam_method):
            yield problem


def _unfit(each: StageFiles, coming: Collection[Path]) -> Iterator[str]:
    """Yield the error of the function `check` that a stage's module may have.

    It is called with the stage and the weights that earlier stages write.
    """
    check = getattr(importlib.import_module(f"step.{each.row.name}"), "check", None)
    if check is not None:
        try:
            check(each, coming)
        except (ValueError, OSError) as error:
            yield str(error)


def _claimed(each: StageFiles) -> Iterator[str]:
    """Yield an error for each output that other settings claim, as far as they are known.

    What an earlier stage's results decide is found out when the stage starts.
    """
    known = known_settings(each)
    for place in [place for files in each.outputs() for place in files.places]:
        try:
            check_claim(place, known, overwrite=each.config.overwrite, is_partial=True)
        except ValueError as error:
            yield str(error)
