"""Image-level labels from the devkit's XML files, each parsed once."""

import os
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

from misc.files.class_store import ClassStore, stamp
from voc12.names import CLASS_NAMES

LARGEST_FILE = 1_000_000


def read_classes(path: Path) -> list[int]:
    """Read one annotation file: the class ids of its objects, each once, ascending.

    Objects marked difficult or truncated count; the parts of an object (head, hand) do not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is over 1 MB, declares a document type or entities (which could
            make the parser expand without end), is broken, or has an object of an unknown class.
    """
    root = _parse(path)
    if root.tag != "annotation":
        raise ValueError(f"{path}: not a VOC annotation: its outer element is <{root.tag}>")
    names = {(found.findtext("name") or "").strip() for found in root.findall("object")}
    unknown = sorted(names.difference(CLASS_NAMES))
    if unknown:
        raise ValueError(
            f"{path}: unknown class {unknown[0]!r}; accepted are {', '.join(CLASS_NAMES)}"
        )
    return sorted(CLASS_NAMES.index(name) for name in names)


class Annotations(ClassStore):
    """The classes of many images, cached in memory and, optionally, in a file.

    Args:
        folder: holds ID.xml for every image.
        cache_dir: folder for the cache, see ClassStore.
    """

    def __init__(self, folder: Path, *, cache_dir: Path | None = None) -> None:
        header = {"folder": os.path.abspath(folder), "class_names": list(CLASS_NAMES)}
        super().__init__(
            partial(_path, folder),
            read_classes,
            num_classes=len(CLASS_NAMES),
            header=header,
            cache_dir=cache_dir,
        )


def _path(folder: Path, image_id: str) -> Path:
    return folder / f"{image_id}.xml"


def _parse(path: Path) -> ElementTree.Element:
    if stamp(path)[1] > LARGEST_FILE:
        raise ValueError(f"{path}: over {LARGEST_FILE} bytes, which no VOC annotation is")
    content = path.read_bytes()
    # Zero bytes are removed, so that UTF-16 cannot hide a declaration.
    letters = content.replace(b"\0", b"")
    if b"<!DOCTYPE" in letters or b"<!ENTITY" in letters:
        raise ValueError(f"{path}: declares a DOCTYPE or ENTITY, which no VOC annotation needs")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"{path}: broken XML ({error})") from error
