"""Labels in a file for each image, by labelme, in VOC's form or YOLO's."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from folder.rows import File, Labels, has_keys, rows_of
from folder.tree import EXACT, stem

_log = logging.getLogger("irnet")
NUMBER = re.compile(r"[-+]?\d*\.?\d+(e[-+]?\d+)?", re.IGNORECASE)


def file_of_one_image(file: File) -> Labels | None:
    """A file of one image by labelme, or in VOC's form."""
    return _labels(file, {Path(file.path.name): file.content})


def folder_of_files(file: File) -> Labels | None:
    """A folder with such a file for each image, or one of YOLO's lines of class numbers."""
    endings = {path.suffix.lower(): path for path in file.content}
    if len(endings) > 1:
        raise ValueError(
            f"{file.path}: {' and '.join(map(str, endings.values()))} are files of several tools; "
            "leave those of one: .json of labelme, .xml of VOC or .txt of YOLO"
        )
    return _labels(file, file.content)


def _labels(file: File, contents: Mapping[Path, Any]) -> Labels | None:
    """Return what the files of images say; None where the file of labels is no such file."""
    found, flags = list[tuple[str, str, list[str]]](), set[str]()
    for path, content in contents.items():
        place = f"{file.path / path}" if file.path.is_dir() else f"{file.path}"
        image, own = "", stem(path.as_posix())
        if isinstance(content, str):
            classes = _yolo(file.names, place, content)
        elif isinstance(content, ElementTree.Element) and content.tag == "annotation":
            image, classes = _voc(content)
        elif has_keys(content, shapes=list, imagePath=str):
            image, classes, shown = _labelme(content, file.names)
            flags |= set(shown)
        elif file.path.is_dir():
            raise ValueError(
                f"{place}: no file of labelme or VOC, as a folder of --labels has; of other tools "
                "name one file"
            )
        else:
            return None
        found.append((place, _image_of(file, place, path, image or own), classes))
    if flags:
        listed = ", ".join(map(repr, sorted(flags)))
        are = "those that --class_names has are" if file.names else "all are"
        words = "%s: images have labelme's flags %s; %s classes (a file --class_names says which)"
        _log.warning(words, file.path, listed, are)
    return Labels(rows_of(found))


def _image_of(file: File, place: str, path: Path, image: str) -> str:
    """Return the path of the image that a file is of, by what it says and what it is called."""
    own = stem(path.as_posix())
    named, same = (set(file.images.match(name)[0]) for name in (image, own))
    if named and same and not named & same:
        raise ValueError(
            f"{place}: it says it is of {image!r}, and is called as another image is; give both "
            "the same name, or remove the copy"
        )
    # An image may have been renamed together with its file.
    for name in (f"{path.parent.as_posix()}/{image}", own, f"images/{own}"):
        if file.images.match(name)[1] == EXACT:
            return name
    return image if file.images.has(image) else own


def _voc(content: ElementTree.Element) -> tuple[str, list[str]]:
    """Return the name of the image, and the classes of its objects."""
    objects = [each for each in content.findall("object") if each.findtext("deleted") != "1"]
    return content.findtext("filename") or "", [each.findtext("name") or "" for each in objects]


def _labelme(
    content: Mapping[str, Any], names: Sequence[str] | None
) -> tuple[str, list[str], list[str]]:
    """Return the name of the image, its classes, and the flags that are true.

    Flags of the image are classes but for those that --class_names has not.
    """
    flags = [flag for flag, is_true in (content.get("flags") or {}).items() if is_true is True]
    classes = [str(shape.get("label")) for shape in content["shapes"]]
    classes += [flag for flag in flags if not names or flag in names]
    return content["imagePath"], classes, flags


def _yolo(names: Sequence[str] | None, place: str, text: str) -> list[str]:
    """Return the classes of an image's lines: a number from 0, then the object's place."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        first, *places = line.split() or [""]
        is_box = len(places) >= 4 and all(NUMBER.fullmatch(each) for each in places)
        if first and not (first.isdecimal() and is_box):
            raise ValueError(f"{place}, line {number}: {line!r} is no class number and box of YOLO")
        if first and int(first) >= len(names or ()):
            has = "there is no" if names is None else f"{len(names)} names are in"
            raise ValueError(
                f"{place}, line {number}: YOLO's class {first} is a number from 0, and {has} "
                "--class_names; name its file of names, for example classes.txt"
            )
        found += [names[int(first)]] if names and first else []
    return found
