"""Image-level labels from the devkit's XML files, each parsed once."""

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from misc.files.atomic import write_json
from voc12.names import CLASS_NAMES

LARGEST_FILE = 1_000_000
# A few new entries do not justify rewriting a file of thousands.
FEWEST_TO_STORE = 50


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


class Annotations:
    """The classes of many images, cached in memory and, optionally, in a file.

    Args:
        folder: holds ID.xml for every image.
        cache_dir: folder for image_labels.json, which keeps the classes found between processes;
            an entry is valid while its XML file has the same time and size.
    """

    def __init__(self, folder: Path, *, cache_dir: Path | None = None) -> None:
        self.folder = folder
        self._store = None if cache_dir is None else cache_dir / "image_labels.json"
        self._stored: dict[str, Any] | None = None
        self._known: dict[str, list[int]] = {}

    def classes(self, ids: Iterable[str]) -> list[list[int]]:
        """Return the class ids of each image, in the order of `ids`; raises as read_classes."""
        ids = list(ids)
        missing = [image_id for image_id in dict.fromkeys(ids) if image_id not in self._known]
        if missing:
            self._learn(missing)
        return [self._known[image_id] for image_id in ids]

    def _learn(self, ids: list[str]) -> None:
        if self._stored is None:
            self._stored = self._read_store()
        parsed = 0
        for image_id in ids:
            path = self.folder / f"{image_id}.xml"
            stamp = _stamp(path)
            entry = self._stored.get(image_id)
            if entry is None or not _is_entry(entry, stamp):
                entry = {"file": stamp, "classes": read_classes(path)}
                self._stored[image_id] = entry
                parsed += 1
            self._known[image_id] = entry["classes"]
        if self._store is not None and parsed >= FEWEST_TO_STORE:
            write_json(self._store, {"header": self._header(), "images": self._stored})

    def _read_store(self) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            content = json.loads(self._store.read_text())
        except (OSError, ValueError, RecursionError):
            content = None  # missing or broken: the XML files are parsed again
        if not isinstance(content, dict) or content.get("header") != self._header():
            return {}
        images = content.get("images")
        return images if isinstance(images, dict) else {}

    def _header(self) -> dict[str, Any]:
        return {"folder": os.path.abspath(self.folder), "class_names": list(CLASS_NAMES)}


def _is_entry(entry: Any, stamp: list[int]) -> bool:
    """Return whether an image's cached entry matches its file's stamp, and is intact."""
    return (
        isinstance(entry, dict)
        and entry.get("file") == stamp
        and isinstance(entry.get("classes"), list)
        and all(number in range(len(CLASS_NAMES)) for number in entry["classes"])
    )


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such file; the image-level labels of {path.stem!r} come from it"
        ) from None
    return [status.st_mtime_ns, status.st_size]


def _parse(path: Path) -> ElementTree.Element:
    if _stamp(path)[1] > LARGEST_FILE:
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
