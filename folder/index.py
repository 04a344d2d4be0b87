"""All that is known of a folder before an image is opened: its images, classes and labels."""

import difflib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from folder.class_names import check_names, name_numbers, read_names, without_background
from folder.label_files import ACCEPTED
from folder.labels import read_labels
from folder.rows import Labels, Row, is_background
from folder.splits import folders_of_part, part_of_file, parts_by_folder
from folder.tree import ALMOST, MASK_WORD, Names, bare, files_below, normal, part_of, stem
from misc.files.images import is_turned, photograph_problem, photograph_size
from misc.files.photograph_ids import photograph_ids

_log = logging.getLogger("irnet")
NO_CLASSES = {"images", "image", "imgs", "photos", "masks", "mask", "labels", "annotations"}
# Values of an 8-bit label map without background, 255 for ignore, and one left free.
MOST_CLASSES = 253


class Index(NamedTuple):
    """A folder's images and labels.

    Attributes:
        images: the folder, the path below it of each image by id, and which image a path means.
        broken: why an image cannot be read, by id of those.
        class_names: the names of the classes.
        labels: the classes, from 0, of each image that has a label and can be read.
        parts: train, val or test, by the ids of these, where the data come in a split.
    """

    images: Names
    broken: Mapping[str, str]
    class_names: tuple[str, ...]
    labels: Mapping[str, Sequence[int]]
    parts: Mapping[str, str]


def read_index(
    root: Path,
    *,
    labels: Sequence[Path],
    class_names: Path | None,
    masks: Path | None,
    strict_labels: bool = False,
    strict_images: bool = False,
) -> Index:
    """Read the tree of images and the files of labels; without any, sub-folders are the labels."""
    files = sorted(files_below(root, but=masks))
    paths = photograph_ids(files, source=f"--data_root {root}")
    images = Names(root, paths)
    listed = None if class_names is None else read_names(class_names)
    names = None if listed is None else without_background(class_names, listed)
    source = ", ".join(map(str, labels)) or f"--data_root {root}"
    rows, own_names = _read_files(labels, listed, images) if labels else _sub_folders(root, paths)
    found = _match(images, rows, source=source, strict=strict_labels)
    if names is None:
        occurring = {c for row in found.values() for c in row.classes}
        names = own_names or sorted(occurring, key=lambda n: (n.isdecimal() and int(n), n))
        check_names(source, occurring, names)
    if not 0 < len(names) <= MOST_CLASSES:
        raise ValueError(f"{source}: {len(names)} classes, accepted are 1 to {MOST_CLASSES}")
    broken = _broken(root, paths, refuse=strict_images)
    if lacking := [path for image_id, path in paths.items() if image_id not in found]:
        words = "%s: %d of %d images have no label and are left out, the first is %s"
        _log.info(words, source, len(lacking), len(paths), lacking[0])
    classes = _numbered(found, names, whose="--class_names" if listed else f"the list in {source}")
    known = {i: classes[i] for i in paths if i in classes and i not in broken}
    _warn_of_masks([paths[image_id] for image_id in known])
    parts = {image_id: found[image_id].part for image_id in known if found[image_id].part}
    parts = parts or parts_by_folder({image_id: paths[image_id] for image_id in known})[0]
    return Index(images, broken, class_names=tuple(names), labels=known, parts=parts)


def _broken(root: Path, paths: Mapping[str, str], *, refuse: bool) -> dict[str, str]:
    """Return why an image cannot be read, by id, of those that cannot; log how many."""
    broken = {i: why for i, path in paths.items() if (why := photograph_problem(root / path))}
    if broken:
        words = (
            f"{len(broken)} of {len(paths)} images cannot be read and are left out, the first: "
            f"{next(iter(broken.values()))}"
        )
        if refuse or len(broken) == len(paths):
            raise ValueError(f"--data_root {root}: {words}")
        _log.warning("%s (--strict_images True refuses this)", words)
    return broken


def _warn_of_masks(paths: Sequence[str]) -> None:
    """Warn of masks among the photographs, NAME_mask.png beside NAME.png."""
    names = set(map(stem, paths))
    masks = [p for p in paths if MASK_WORD.search(stem(p)) and MASK_WORD.sub("", stem(p)) in names]
    if masks:
        words = "%d photographs are called like the masks of others, for example %s; move masks "
        words += "to a folder of their own, and name it with --masks"
        _log.warning(words, len(masks), masks[0])


def _sub_folders(root: Path, paths: Mapping[str, str]) -> Labels:
    parts = {path: path.split("/") for path in paths.values() if "/" in path}
    if not parts:
        raise ValueError(
            f"--data_root {root}: pass --labels with its images, {ACCEPTED}; or sort them into one "
            "folder for each class"
        )
    # train/cat/1.jpg: the class is the inner folder.
    _, outer = parts_by_folder(paths)
    depth = outer + 1
    if depth:
        folders = ", ".join(sorted({each[outer] for each in parts.values()}))
        if min(map(len, parts.values())) < depth + 2:
            raise ValueError(
                f"--data_root {root}: {folders} are a split without folders of classes in them; "
                "pass --labels, or sort the images into one folder for each class"
            )
        words = "--data_root %s: %s are a split, the classes are the folders in them"
        _log.info(words, root, folders)
    classes = sorted({each[depth] for each in parts.values()})
    odd = [name for name in classes if part_of(name) or name.lower() in NO_CLASSES]
    if odd:
        raise ValueError(
            f"--data_root {root}: the folders {', '.join(classes[:5])} would be the classes, and "
            f"{odd[0]} is none; pass --labels, or name the folder that has the folders of classes"
        )
    rows = [Row(f"{root / path}", path, [normal(part[depth])]) for path, part in parts.items()]
    return Labels(rows)


def _read_files(files: Sequence[Path], names: Sequence[str] | None, images: Names) -> Labels:
    """Return the rows of all files; where each file is of another part of a split, with it."""
    parts = [part_of_file(path.as_posix()) for path in files]
    if len(files) == 1 or "" in parts or len(set(parts)) < len(parts):
        if len(files) > 1:
            _log.info("%d files of labels are taken together, and no split", len(files))
        parts = [""] * len(files)
    labels = {path: read_labels(path, names=names, images=images) for path in files}
    rows, own_names = list[Row](), dict[str, None]()
    for (path, found), part in zip(name_numbers(labels, names).items(), parts, strict=True):
        folders = [Path(os.path.relpath(path.parent, images.root)).as_posix()]
        folders += folders_of_part(part, images.paths.values())
        rows += [row._replace(folders=folders, part=part or row.part) for row in found.rows]
        own_names |= dict.fromkeys(found.class_names or ())
    all_have_names = all(found.class_names for found in labels.values())
    return Labels(rows, list(own_names) if all_have_names else None)


def _match(images: Names, rows: Sequence[Row], *, source: str, strict: bool) -> dict[str, Row]:
    fits, missing = list[tuple[int, str, Row]](), list[Row]()
    for row in rows:
        image_id, fit = images.only(row.path, row.place, row.folders)
        if image_id:
            fits.append((fit, image_id, row))
        else:
            missing.append(row)
    found = dict[str, tuple[int, Row]]()
    for fit, image_id, row in sorted(fits, key=lambda each: each[0]):
        known, other = found.setdefault(image_id, (fit, row))
        if fit > known:
            missing.append(row)  # of another image of this name
        elif other is not row:
            raise ValueError(
                f"{row.place}: {row.path!r} is there already, {other.place}; put all classes of "
                "an image in one row, as class;class"
            )
    if missing:
        _tell_missing(images, missing, rows, source=source, refuse=strict or not found)
    by_name = [
        f"{row.path} for {images.paths[image_id]}"
        for image_id, (fit, row) in found.items()
        if fit == ALMOST or (fit and re.search(r"[/\\]", row.path))
    ]
    if by_name:
        words = "%s: %d images are found by their names alone, for example %s"
        _log.info(words, source, len(by_name), by_name[0])
    return {image_id: row for image_id, (_, row) in found.items()}


def _tell_missing(
    images: Names, missing: Sequence[Row], rows: Sequence[Row], *, source: str, refuse: bool
) -> None:
    first = missing[0]
    name = bare(first.path.replace("\\", "/"))
    alike = [p for p in images.paths.values() if name.casefold() == bare(p).casefold()]
    reason = f"paths are below --data_root {images.root}"
    if (images.root / first.path).is_file():
        reason = f"it is there, but Pillow here reads no {Path(first.path).suffix}"
    elif alike and name != bare(alike[0]):
        reason = f"{alike[0]} is there, and its name differs in upper and lower case alone"
    words = (
        f"{source}: {len(missing)} of {len(rows)} images are missing, the first is "
        f"{first.path!r} ({first.place}); {reason}"
    )
    if refuse:
        raise FileNotFoundError(words)
    _log.warning("%s; the others are used (--strict_labels True refuses this)", words)


def _numbered(
    found: Mapping[str, Row], names: Sequence[str], *, whose: str
) -> dict[str, list[int]]:
    number = {name: place for place, name in enumerate(names)}
    labels, ignored = dict[str, list[int]](), set()
    for image_id, row in found.items():
        labels[image_id] = sorted({number[name] for name in row.classes if name in number})
        for name in row.classes:
            if name not in number and is_background(name):
                ignored.add(name)
            elif name not in number:
                near = difflib.get_close_matches(name, names, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"{row.place}: unknown class {name!r} of {row.path!r}, accepted are the "
                    f"{len(names)} of {whose}{meant}"
                )
    if ignored:
        words = "not in --class_names, and read as no class: %s"
        _log.warning(words, ", ".join(sorted(ignored)))
    return labels


def check_size(
    source: object, said: tuple[int, ...] | None, index: Index, image_id: str
) -> tuple[int, int]:
    """Return the size (H, W) of an image; another one said of its mask is refused."""
    image = index.images.root / index.images.paths[image_id]
    size = photograph_size(image)
    if said and said != size:
        turned = said == size[::-1] and is_turned(image)
        why = "; EXIF turns the image, and its mask has to be drawn on it so" if turned else ""
        raise ValueError(f"{source} is {said} pixels, its image is {size}{why}")
    return size
