"""Locks on results: two runs at once do not write to the same place.

The kernel holds a lock for the process that took it and releases it when that process ends,
however it ends, on this host or, on a network disk, on another one.
"""

import fcntl
import os
import platform
import time
from pathlib import Path

_held: dict[Path, int] = {}  # file descriptors by the lock's path


def hold(place: str | os.PathLike[str]) -> None:
    """Lock an output folder or file until `release_all`, with PLACE.lock beside it.

    Where no file can be written or the file system has no locks, nothing is locked.

    Raises:
        ValueError: another process holds the lock; its host and number are named.
    """
    path = Path(f"{os.path.abspath(place)}.lock")
    while path not in _held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return  # whatever writes to this place says why it cannot
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            raise ValueError(
                f"{os.fspath(place)}: another run is writing to it ({_owner(path)}); wait until it "
                "has ended, stop it, or name another place"
            ) from None
        except OSError:
            os.close(handle)
            return
        if not _is_at(path, handle):  # its last owner has just deleted it
            os.close(handle)
            continue
        os.ftruncate(handle, 0)
        os.write(handle, f"host {platform.node()}, process {os.getpid()}".encode())
        _held[path] = handle


def release_all() -> None:
    """Release the locks of this process, and delete their files."""
    while _held:
        path, handle = _held.popitem()
        path.unlink(missing_ok=True)
        os.close(handle)


def _owner(path: Path) -> str:
    """Read who holds a lock; it writes its name just after it took it."""
    for _ in range(20):
        try:
            if found := path.read_text(encoding="utf-8", errors="replace"):
                return found
        except OSError:
            break
        time.sleep(0.05)
    return "host and process unknown"


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
