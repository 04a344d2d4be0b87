"""All that is known of a folder before an image is opened: its images, classes and labels."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from folder.doubts import SPLITS, doubts, is_background
from folder.tags import ACCEPTED, HEADINGS, Row, Tags, normal, read_names, read_tags
from folder.tree import Names, files_below
from misc.files.images import photograph_problem
from misc.files.photograph_ids import photograph_ids
from misc.run.log import logger

# Values of an 8-bit label map without background, 255 for ignore, and one left free.
MOST_CLASSES = 253


class Index(NamedTuple):
    """A folder's images and labels.

    Attributes:
        paths: path below the root of each image, by id.
        broken: why an image cannot be read, by id of those.
        class_names: the names of the classes.
        labels: the classes, from 0, of each image that has a label and can be read.
    """

    paths: Mapping[str, str]
    broken: Mapping[str, str]
    class_names: tuple[str, ...]
    labels: Mapping[str, Sequence[int]]


def read_index(
    root: Path, *, labels: Path | None, class_names: Path | None, masks: Path | None
) -> Index:
    """Read the tree of images and the labels; without a file of labels they are sub-folders.

    Raises:
        FileNotFoundError: there is no image, no such file, or an image that is named is missing.
        ValueError: a file is broken, an image has two rows, or a class is unknown.
    """
    files = sorted(files_below(root, but=masks))
    paths = photograph_ids(files, source=f"--data_root {root}")
    names = None if class_names is None else _named(class_names)
    if labels is None:
        tags = _sub_folders(root, paths)
    else:
        tags = read_tags(labels, names=names, images=list(paths))
    source = f"{labels or f'--data_root {root}'}"
    found = _match(root, paths, tags.rows, source=source)
    if names is None:
        names = tags.class_names or sorted({c for row in found.values() for c in row.classes})
        for doubt in doubts(names):
            logger.warning("%s: %s", source, doubt)
    if not 0 < len(names) <= MOST_CLASSES:
        raise ValueError(f"{source}: {len(names)} classes, accepted are 1 to {MOST_CLASSES}")
    broken = _broken(root, paths)
    if len(found) < len(paths):
        lacking = next(path for image_id, path in paths.items() if image_id not in found)
        logger.info(
            "%s: %d of %d images have no label and are left out, the first is %s",
            source,
            len(paths) - len(found),
            len(paths),
            lacking,
        )
    classes = _numbered(found, names)
    known = {i: classes[i] for i in paths if i in classes and i not in broken}
    return Index(paths=paths, broken=broken, class_names=tuple(names), labels=known)


def _broken(root: Path, paths: Mapping[str, str]) -> dict[str, str]:
    """Return why an image cannot be read, by id, of those that cannot; log how many."""
    looked_at = {image_id: photograph_problem(root / path) for image_id, path in paths.items()}
    broken = {image_id: problem for image_id, problem in looked_at.items() if problem}
    if broken:
        words = (
            f"{len(broken)} of {len(paths)} images cannot be read and are left out, the first: "
            f"{next(iter(broken.values()))}"
        )
        if len(broken) == len(paths):
            raise ValueError(f"--data_root {root}: {words}")
        logger.warning("%s", words)
    return broken


def _named(class_names: Path) -> list[str]:
    """Read the names of --class_names without the background's, which some put first."""
    names = read_names(class_names)
    if len(names) > 1 and is_background(names[0]):
        logger.warning(
            "--class_names %s: %r is no class and is left out; in masks it is 0, and 1 is %r",
            class_names,
            *names[:2],
        )
        return names[1:]
    return names


def _sub_folders(root: Path, paths: Mapping[str, str]) -> Tags:
    parts = {path: path.split("/") for path in paths.values() if "/" in path}
    if not parts:
        raise ValueError(
            f"--data_root {root}: pass --labels with its images, {ACCEPTED}; or sort them into one "
            "folder for each class"
        )
    outer = sorted({first for first, *_ in parts.values()})
    # train/cat/1.jpg: the class is the inner folder.
    depth = int({name.casefold() for name in outer} <= SPLITS and min(map(len, parts.values())) > 2)
    if depth:
        logger.warning(
            "--data_root %s: %s are a split's folders, the classes are those in them; all images "
            "are taken together, --train_list and --val_list name other lists",
            root,
            ", ".join(outer),
        )
    rows = [Row(f"{root / path}", path, [normal(part[depth])]) for path, part in parts.items()]
    return Tags(rows)


def _match(
    root: Path, paths: Mapping[str, str], rows: Sequence[Row], *, source: str
) -> dict[str, Row]:
    """Return the row of each image that has one, by id."""
    names, found, missing = Names(root, paths), dict[str, Row](), list[Row]()
    for row in rows:
        image_id = names.find(row.path, row.place)
        if image_id is None:
            missing.append(row)
        elif (other := found.setdefault(image_id, row)) is not row:
            raise ValueError(
                f"{row.place}: {row.path!r} is there already, {other.place}; put all classes of "
                "an image in one row, as class;class"
            )
    if missing:
        first = missing[0]
        reason = f"paths are below --data_root {root}"
        if (root / first.path).is_file():
            reason = f"it is there, but Pillow here reads no {Path(first.path).suffix}"
        elif missing == rows[:1] and rows[1:] and first.place.endswith(", line 1"):
            reason += f"; if line 1 is a heading, its accepted names are {', '.join(HEADINGS)}"
        raise FileNotFoundError(
            f"{source}: {len(missing)} of {len(rows)} images are missing, the first is "
            f"{first.path!r} ({first.place}); {reason}"
        )
    return found


def _numbered(found: Mapping[str, Row], names: Sequence[str]) -> dict[str, list[int]]:
    """Return the numbers of the classes of each image."""
    number = {name: place for place, name in enumerate(names)}
    labels, ignored = dict[str, list[int]](), set()
    for image_id, row in found.items():
        labels[image_id] = sorted({number[name] for name in row.classes if name in number})
        for name in row.classes:
            if name in number:
                continue
            if is_background(name):
                ignored.add(name)
            else:
                near = difflib.get_close_matches(name, names, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"{row.place}: unknown class {name!r} of {row.path!r}, accepted are the "
                    f"{len(names)} of --class_names{meant}"
                )
    if ignored:
        listed = ", ".join(sorted(ignored))
        logger.warning("not in --class_names, and read as no class: %s", listed)
    return labels
