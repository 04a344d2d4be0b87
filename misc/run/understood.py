"""What was understood of the user's data, told before the first stage."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from misc.files.atomic import names_in
from misc.files.cam_files import CamFolder
from misc.files.cam_formats import ENDINGS, pictures
from misc.files.dataset import KINDS, Dataset
from misc.files.images import image_size, is_turned, read_label
from misc.files.labels import load_instances
from misc.imutils import IGNORE
from misc.run.log import logger, table
from misc.run.records import record_of
from misc.run.stage import Files, StageFiles, each_once
from misc.run.workers import map_images

SHOWN = 20  # classes in a line
# Images that are looked at, spread over all: a file's head, and a mask.
HEADS, MASKS = 1000, 20
ROWS = 10  # images in the table of a dry run
# The part of masks, or of CAMs, that fit better where they count otherwise which is no chance.
NEARLY_ALL = 0.9

# Images, and what reads the classes that the masks of one show.
Shown = tuple[Sequence[str], Callable[[str], set[int]]]


def tell_understood(stages: Sequence[StageFiles]) -> None:
    """Log the classes of the images that stages read, and warn of what is probably not meant.

    What cannot be read is left to the stages, which say so.
    """
    dataset = stages[0].dataset
    learning = [each for each in stages if each.row.image_labels and each.row.batch]
    lists = {each.row.lists[0]: each.ids for each in learning}
    images = each_once([*each.images, *each_once(each.truth_lists.values())] for each in stages)
    try:
        masks = dict(found for each in stages for found in _masks(each))
        truths = each_once(ids for each in stages for ids in each.truth.values())
        ids = dataset.with_labels(images)
        labels = dict(zip(ids, dataset.image_labels(ids).astype(bool), strict=True))
        for said in _classes(dataset, labels), _rotation(dataset, images, truths):
            if said:
                logger.info("%s: %s", dataset.name, said)
        for warning in (*_lists(dataset, labels, lists), *_contradictions(dataset, labels, masks)):
            logger.warning("%s", warning)
    except (ValueError, OSError) as error:
        logger.debug("not understood: %s", error)


def tell_cam_forms(stages: Sequence[StageFiles]) -> None:
    """Log the forms of another program's CAMs, and warn of classes outside the images' labels.

    Raises:
        ValueError: a file has no known form, or two images have the same file.
    """
    config, dataset = stages[0].config, stages[0].dataset
    there: dict[str, str] = {}
    for each in stages:
        for files in each.inputs():
            listed = names_in(files.folder)
            if files.flag == "cam_out_dir" and not record_of(files.folder).exists():
                there |= {i: n for i, n in zip(each.ids, files.names, strict=True) if n in listed}
    images: dict[str, str] = {}
    for image_id, name in there.items():
        if (other := images.setdefault(name, image_id)) != image_id:
            path = Path(config.cam_out_dir, name)
            raise ValueError(f"{path}: is the only file for both {other!r} and {image_id!r}")
    if not there:
        return
    folder = CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))
    workers, words = config.num_workers, "forms of CAMs"
    found = dict(map_images(list(there), folder.form, num_workers=workers, description=words))
    forms = Counter(form for form, _, _ in found.values()).most_common()
    counts = "; ".join(f"{count} of the form '{form}'" for form, count in forms)
    logger.info("--cam_out_dir %s: %d files: %s", folder.path, len(there), counts)
    warning = _other_classes(dataset, {i: set(keys.tolist()) for i, (_, _, keys) in found.items()})
    if warning:
        logger.warning("--cam_out_dir %s: %s", folder.path, warning)


def tell_overview(dataset: Dataset, ids: Sequence[str]) -> None:
    """Log some images with their size, classes and ground truth, and the sizes and formats of all.

    What cannot be read is left to the stages, which say so.
    """
    ids = dataset.with_labels(ids)
    try:
        heads = spread(ids, HEADS)
        sizes = sorted((image_size(dataset.image_path(i)) for i in heads), key=np.prod)
        rows = [_overview_row(dataset, image_id) for image_id in spread(ids, ROWS)]
    except (ValueError, OSError) as error:
        logger.debug("no overview: %s", error)
        return
    if not rows:
        return
    endings = Counter(dataset.image_path(i).suffix.lower() for i in ids).most_common()
    formats = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in endings)
    low, middle, high = (f"{w}x{h}" for h, w in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    logger.info("%s: %s; %s to %s pixels, median %s", dataset.name, formats, low, high, middle)
    head = ("image", "id", "pixels", "classes", "ground truth")
    logger.info("examples, as they are understood:\n%s", table([head, *rows]))


def other_names(folder: Path, names: Sequence[str]) -> str:
    """Name a file of a folder of CAMs that is no image's, as its name may be meant otherwise."""
    known = {path.name for name in names for path in pictures(folder / name).values()}
    others = sorted(names_in(folder) - known - set(names))
    alike = [name for name in others if Path(name).suffix.lower() in (*ENDINGS, ".png")]
    if not alike or record_of(folder).exists():
        return ""
    accepted = "ID.npz, .npy, .pt or ID_CLASS.png"
    return f" ({alike[0]} is there, and of no image by its name; accepted is {accepted})"


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
    looked_at = spread(images if dataset.upright else truths, HEADS)
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
        there = spread([i for i in ids if i in labels], MASKS)
        pairs = {i: (_read(classes_in, i), set(np.flatnonzero(labels[i]).tolist())) for i in there}
        total = sum(len(shown) for shown, _ in pairs.values())
        fit = {
            step: sum(len({c + step for c in shown} & label) for shown, label in pairs.values())
            for step in (0, 1, -1)
        }
        best = max(fit, key=lambda step: fit[step])
        shifted = fit[best] >= NEARLY_ALL * total > fit[0]
        odd = [i for i, (shown, label) in pairs.items() if shown - label or (label and not shown)]
        if not pairs:
            continue
        if not shifted and 2 * len(odd) < len(pairs):
            said = Counter(c for _, label in pairs.values() for c in label)
            seen = {c for shown, _ in pairs.values() for c in shown}
            if never := [c for c in sorted(said.keys() - seen) if said[c] > 1]:
                yield (
                    f"{source} contradicts the image-level labels: of {len(pairs)} masks looked at "
                    f"none shows {_names(dataset, never)}, which {said[never[0]]} labels say"
                )
            continue
        count = f", which fit where masks count one {'more' if best > 0 else 'less'}" * shifted
        image_id = (odd or list(pairs))[0]
        shows, label = (_names(dataset, sorted(classes)) or "none" for classes in pairs[image_id])
        yield (
            f"{source} contradicts the image-level labels{count}; "
            f"for example of {image_id}: masks show {shows}, the label says {label}"
        )


def _masks(each: StageFiles) -> Iterator[tuple[str, Shown]]:
    """Yield the ground truth that a stage reads, and the labels of another program, if any."""
    dataset = each.dataset

    def truth(image_id: str) -> set[int]:
        if each.kinds[0] == "instance":
            return set(dataset.instance_label(image_id)[1].tolist())
        return _classes_of(dataset.semantic_label(image_id))

    for flag, ids in each.truth.items():
        yield f"--{flag} {each.value(flag)}: ground truth", (ids, truth)
    for files in each.inputs():
        is_label = files.flag in ("sem_seg_out_dir", "ins_seg_out_dir")
        if is_label and not record_of(files.folder).exists():
            yield f"--{files.flag} {files.folder}: what it holds", _labels_in(each, files)


def _labels_in(each: StageFiles, files: Files) -> Shown:
    there = names_in(files.folder)
    names = {i: name for i, name in zip(each.ids, files.names, strict=True) if name in there}

    def classes_in(image_id: str) -> set[int]:
        path = files.folder / names[image_id]
        if files.flag == "sem_seg_out_dir":
            return _classes_of(read_label(path))
        return set(load_instances(path)["class"].tolist())

    return list(names), classes_in


def _classes_of(label: np.ndarray) -> set[int]:
    return {value - 1 for value in np.setdiff1d(label, [0, IGNORE]).tolist()}


def _read(classes_in: Callable[[str], set[int]], image_id: str) -> set[int]:
    try:
        return classes_in(image_id)
    except (ValueError, OSError):
        return set()  # told where it is read


def _other_classes(dataset: Dataset, keys: Mapping[str, set[int]]) -> str:
    """Describe CAMs of classes outside the image's label, and whether their keys count from 1."""
    labelled = dataset.with_labels(list(keys))
    rows = dataset.image_labels(labelled)
    labels = {i: set(np.flatnonzero(row).tolist()) for i, row in zip(labelled, rows, strict=True)}
    odd = [i for i, label in labels.items() if not keys[i] <= label]
    if not odd:
        return ""
    with_class = [i for i, label in labels.items() if label]
    shifted = [i for i in with_class if {key - 1 for key in keys[i] - {0}} == labels[i]]
    reason = "where they are no predictions, the keys count otherwise"
    if len(shifted) >= NEARLY_ALL * max(len(with_class), 1):
        odd = shifted
        reason = (
            "these keys are the image's classes plus 1: if they count from 1, write keys that "
            "count from 0, and leave the background's 0 and its map out (see docs/YOUR_CAMS.md)"
        )
    return (
        f"{len(odd)} of {len(labelled)} files have classes that are not in the image's label, for "
        f"example {odd[0]}: keys {sorted(keys[odd[0]])}, label {sorted(labels[odd[0]])} (from 0); "
        f"{reason}"
    )


def _names(dataset: Dataset, classes: Sequence[int]) -> str:
    """Return the names; a file of another program may hold a number that has none."""
    known = dict(enumerate(dataset.class_names))
    more = f" and {len(classes) - SHOWN} more classes" if len(classes) > SHOWN else ""
    return ", ".join(known.get(n, f"an unknown class ({n})") for n in classes[:SHOWN]) + more


def _overview_row(dataset: Dataset, image_id: str) -> tuple[str, ...]:
    height, width = image_size(dataset.image_path(image_id))
    (shown,) = dataset.image_labels([image_id])
    classes = ", ".join(dataset.class_names[number] for number in np.flatnonzero(shown).tolist())
    truth = ", ".join(kind for kind in KINDS if dataset.has_truth(image_id, kinds=(kind,)))
    return dataset.file_name(image_id), image_id, f"{width}x{height}", classes or "none", truth


def spread(ids: Sequence[str], number: int) -> list[str]:
    """Return at most so many of the ids, spread over all."""
    return [ids[place] for place in np.linspace(0, len(ids) - 1, min(number, len(ids))).astype(int)]
