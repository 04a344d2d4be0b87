"""Files that are whole or not there: everything is written beside its final name and renamed."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; rename it to `path` on success.

    A run that dies in between leaves no half-written file under the final name.
    The parent folder is made if it is missing.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _give_default_mode(temporary)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON to `path` atomically."""
    write_bytes(path, (json.dumps(value, indent=1) + "\n").encode())


def _give_default_mode(path: Path) -> None:
    # mkstemp makes files only their owner can read; results are shared like any other file.
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
