"""A cache of which classes each image shows, in memory and, between processes, in a file."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from misc.files.atomic import write_json

# A few new entries do not justify rewriting a file of thousands.
FEWEST_TO_STORE = 50


class ClassStore:
    """The classes of many images, each read from its annotation once; picklable where `read` is.

    Args:
        path_of: returns the annotation of an image.
        read: reads an annotation: its classes, numbers from 0.
        num_classes: how many classes there are.
        header: what the entries hold for: another header's file is not used.
        cache_dir: folder for image_labels.json, which keeps the classes found between processes;
            an entry is valid while its annotation has the same time and size.
    """

    def __init__(
        self,
        path_of: Callable[[str], Path],
        read: Callable[[Path], list[int]],
        *,
        num_classes: int,
        header: Mapping[str, Any],
        cache_dir: Path | None = None,
    ) -> None:
        self._path_of, self._read = path_of, read
        self._num_classes = num_classes
        self._header = dict(header)
        self._store = None if cache_dir is None else cache_dir / "image_labels.json"
        self._stored: dict[str, Any] | None = None
        self._known: dict[str, list[int]] = {}

    def classes(self, ids: Iterable[str]) -> list[list[int]]:
        """Return the classes of each image, in the order of `ids`.

        Raises:
            FileNotFoundError: an image has no annotation.
            ValueError: what `read` raises.
        """
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
            path = self._path_of(image_id)
            found = stamp(path)
            entry = self._stored.get(image_id)
            if entry is None or not self._is_entry(entry, found):
                entry = {"file": found, "classes": self._read(path)}
                self._stored[image_id] = entry
                parsed += 1
            self._known[image_id] = entry["classes"]
        if self._store is not None and parsed >= FEWEST_TO_STORE:
            write_json(self._store, {"header": self._header, "images": self._stored})

    def _read_store(self) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            content = json.loads(self._store.read_text())
        except (OSError, ValueError, RecursionError):
            content = None  # missing or broken: the annotations are read again
        if not isinstance(content, dict) or content.get("header") != self._header:
            return {}
        images = content.get("images")
        return images if isinstance(images, dict) else {}

    def _is_entry(self, entry: Any, stamp: list[int]) -> bool:
        """Return whether an image's cached entry matches its file's stamp, and is intact."""
        return (
            isinstance(entry, dict)
            and entry.get("file") == stamp
            and isinstance(entry.get("classes"), list)
            and all(number in range(self._num_classes) for number in entry["classes"])
        )


def stamp(path: Path) -> list[int]:
    """Return the time and the size of an annotation, by which a change of it is noticed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such file; the image-level labels of {path.stem!r} come from it"
        ) from None
    return [status.st_mtime_ns, status.st_size]
