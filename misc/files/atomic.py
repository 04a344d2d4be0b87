"""Atomic writes: everything is written beside its final name and renamed."""

import errno
import glob
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

TEMPORARY = ".tmp"
# A temporary file older than this was left by a killed run.
ABANDONED_SECONDS = 3600
# Letters of a file's name in that of its temporary file, which may be no longer than a disk takes.
_KEPT = 50
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; rename it to `path` on success.

    A run that dies in between leaves no half-written file under the final name.
    The parent folder is created if it is missing.
    """
    final = Path(path)
    temporary = final.with_name(f".{final.name[:_KEPT]}.{uuid4().hex[:8]}{TEMPORARY}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, final)
    except OSError as error:
        remedy = "free space or name" if error.errno in _FULL else "name"
        raise OSError(
            f"{final}: cannot be written ({error.strerror or error}); an existing file is "
            f"unchanged: {remedy} another place, then run the same command again"
        ) from error
    finally:
        with suppress(OSError):  # it is not there, and perhaps cannot be
            temporary.unlink()


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON to `path` atomically."""
    write_bytes(path, (json.dumps(value, indent=1) + "\n").encode())


def names_in(folder: Path, ending: str = "") -> frozenset[str]:
    """Return the names in a folder with a suffix, without it; none where there is no folder.

    It is one listing, cached while the folder is unchanged: checking thousands of files one by
    one is slow on a network disk.
    """
    try:
        return _listed(folder, ending, folder.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


@lru_cache(maxsize=64)
def _listed(folder: Path, ending: str, _changed: int) -> frozenset[str]:
    names = os.listdir(folder)
    return frozenset(name.removesuffix(ending) for name in names if name.endswith(ending))


def is_temporary(path: Path) -> bool:
    """Return whether a file is what `atomic_path` writes to before it renames."""
    return path.name.startswith(".") and path.name.endswith(TEMPORARY)


def remove_abandoned(folder: Path, name: str = "", *, seconds: float = ABANDONED_SECONDS) -> None:
    """Delete the temporary files and folders of this name, or all, that killed runs left.

    Those that are younger than `seconds` may be another run's; 0 where the folder is locked.
    """
    pattern = glob.escape(name[:_KEPT]) if name else "*"
    for path in folder.glob(f".{pattern}.*{TEMPORARY}"):
        try:
            if time.time() - path.stat().st_mtime >= seconds:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:
            pass  # another process has just renamed or deleted it
