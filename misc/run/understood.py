"""What was understood of the user's data, told before the first stage."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.files.dataset import Dataset
from misc.files.images import is_turned, read_label
from misc.files.instance_files import load_instances
from misc.imutils import IGNORE
from misc.run.log import logger
from misc.run.records import record_of
from misc.run.stage_files import StageFiles, each_once

SHOWN = 20  # classes in a line
# Images that are looked at, spread over all: a file's head, and a mask.
HEADS, MASKS = 1000, 20
FITTING = 0.9

# Images, and what reads the classes that the masks of one show.
Shown = tuple[Sequence[str], Callable[[str], set[int]]]
# Labels that may be of another program, and how an image's classes are read of its file.
FOREIGN: Mapping[str, Callable[[Mapping[str, Path], str], set[int]]] = {
    "sem_seg_out_dir": lambda files, image_id: _classes_of(read_label(files[image_id])),
    "ins_seg_out_dir": lambda files, image_id: set(
        load_instances(files[image_id])["class"].tolist()
    ),
}


def tell_understood(dataset: Dataset, stages: Sequence[StageFiles]) -> None:
    """Log the classes of the images that stages read, and warn of what is probably not meant.

    What cannot be read is left to the stages, which say so.
    """
    learning = [each for each in stages if each.stage.image_labels and each.stage.batch]
    lists = {each.stage.lists[0]: each.ids for each in learning}
    read = [[*each.images, *each_once(each.truth_lists.values())] for each in stages]
    images = each_once(read)
    try:
        masks = dict(found for each in stages for found in _masks(each))
        truths = [i for each in stages for ids in each.truth.values() for i in ids]
        ids = dataset.with_labels(images)
        labels = dict(zip(ids, dataset.image_labels(ids).astype(bool), strict=True))
        for said in _classes(dataset, labels), _rotation(dataset, images, truths):
            if said:
                logger.info("%s: %s", dataset.name, said)
        for warning in (*_lists(dataset, labels, lists), *_contradictions(dataset, labels, masks)):
            logger.warning("%s", warning)
    except (ValueError, OSError) as error:
        logger.debug("not understood: %s", error)


def _classes(dataset: Dataset, labels: Mapping[str, np.ndarray]) -> str:
    if not labels:
        return ""
    rows = np.array(list(labels.values()))
    counts = rows.sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    shown = [f"{dataset.class_names[c]} {counts[c]}" for c in order[:SHOWN] if counts[c]]
    more = np.count_nonzero(counts) - len(shown)
    words = f"{len(rows)} images, {len(counts)} classes: {', '.join(shown)}"
    words += f" and {more} more" if more else ""
    without = np.count_nonzero(~rows.any(axis=1))
    return f"{words}; {without} images without any" if without else words


def _rotation(dataset: Dataset, images: Sequence[str], truths: Sequence[str]) -> str:
    """Return how many images EXIF turns; where they are read as stored, of those with truth."""
    if not dataset.upright:
        images = truths
    looked_at = _spread(list(dict.fromkeys(images)), HEADS)
    turned = [image_id for image_id in looked_at if is_turned(dataset.image_path(image_id))]
    if not turned:
        return ""
    how = "read so" if dataset.upright else "read as they are stored, as their ground truth is"
    return f"EXIF turns {len(turned)} of {len(looked_at)} images, as {turned[0]}; they are {how}"


def _lists(
    dataset: Dataset, labels: Mapping[str, np.ndarray], lists: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield a warning of classes in every image of a list to learn from, and in none of it."""
    total = np.sum(list(labels.values()), axis=0)
    for flag, ids in lists.items():
        rows = np.array([labels[image_id] for image_id in ids if image_id in labels])
        if len(rows) < 2:
            continue
        if always := np.flatnonzero(rows.all(axis=0)).tolist():
            yield (
                f"--{flag}: every image shows {_names(dataset, always)}; what it looks like can "
                "only be learnt beside images without it"
            )
        never = ~rows.any(axis=0) & (dataset.limit is None)
        for some, elsewhere in ((total > 0, ", but those of another list do"), (total == 0, "")):
            if classes := np.flatnonzero(never & some).tolist():
                yield f"--{flag}: no image shows {_names(dataset, classes)}{elsewhere}"


def _contradictions(
    dataset: Dataset, labels: Mapping[str, np.ndarray], shown: Mapping[str, Shown]
) -> Iterator[str]:
    """Yield a warning where masks show other classes than the image-level labels."""
    for source, (ids, classes_in) in shown.items():
        there = _spread([i for i in ids if i in labels and labels[i].any()], MASKS)
        pairs = {i: (_read(classes_in, i), set(np.flatnonzero(labels[i]).tolist())) for i in there}
        total = sum(len(shown) for shown, _ in pairs.values())
        fit = {
            step: sum(len({c + step for c in shown} & label) for shown, label in pairs.values())
            for step in (0, 1, -1)
        }
        best = max(fit, key=lambda step: fit[step])
        shifted = fit[best] >= FITTING * total > fit[0]
        if not shifted and fit[0] >= total / 2:
            continue
        count = f", which fit where masks count one {'more' if best > 0 else 'less'}" * shifted
        image_id = next(i for i, (shown, label) in pairs.items() if shown - label)
        shows, label = (_names(dataset, sorted(classes)) for classes in pairs[image_id])
        yield (
            f"{source} contradicts the image-level labels{count}; "
            f"for example of {image_id}: masks show {shows}, the label says {label}"
        )


def _masks(each: StageFiles) -> Iterator[tuple[str, Shown]]:
    """Yield the ground truth that a stage reads, and the labels of another program, if any."""
    for flag, ids in each.truth.items():
        classes_in = _instances_of if each.kinds[:1] == ("instance",) else _semantic_of
        source = f"--{flag} {vars(each.config)[flag]}: ground truth"
        yield source, (ids, partial(classes_in, each.dataset))
    for flag, (folder, names) in each.inputs():
        if flag in FOREIGN and not record_of(folder).exists():
            there = names_in(folder)
            files = {i: folder / n for i, n in zip(each.ids, names, strict=True) if n in there}
            yield f"--{flag} {folder}: what it holds", (list(files), partial(FOREIGN[flag], files))


def _semantic_of(dataset: Dataset, image_id: str) -> set[int]:
    return _classes_of(dataset.semantic_label(image_id))


def _instances_of(dataset: Dataset, image_id: str) -> set[int]:
    return set(dataset.instance_label(image_id)[1].tolist())


def _classes_of(label: np.ndarray) -> set[int]:
    return {value - 1 for value in np.setdiff1d(label, [0, IGNORE]).tolist()}


def _read(classes_in: Callable[[str], set[int]], image_id: str) -> set[int]:
    try:
        return classes_in(image_id)
    except (ValueError, OSError):
        return set()  # told where it is read


def _names(dataset: Dataset, classes: Sequence[int]) -> str:
    more = f" and {len(classes) - SHOWN} more classes" if len(classes) > SHOWN else ""
    return ", ".join(dataset.class_names[number] for number in classes[:SHOWN]) + more


def _spread(ids: Sequence[str], number: int) -> list[str]:
    return [ids[place] for place in np.linspace(0, len(ids) - 1, min(number, len(ids))).astype(int)]
