"""Locks on results: no run writes to a place that another one writes to, or reads.

The kernel holds a lock for the process that took it and releases it when that process ends,
however it ends, on this host or, on a network disk, on another one.
"""

import contextlib
import fcntl
import os
import platform
import time
from pathlib import Path

_held: dict[Path, int] = {}  # file descriptors by the lock's path


def hold(place: str | os.PathLike[str], *, to_read: bool = False) -> None:
    """Lock a folder or file of results until `release_all`, with PLACE.lock beside it.

    Any number of runs may read a place at once. Where no file can be written or the file system
    has no locks, nothing is locked.
    """
    kind = fcntl.LOCK_SH if to_read else fcntl.LOCK_EX
    path = Path(f"{os.path.abspath(place)}.lock")
    while path not in _held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return  # whatever writes to this place says why it cannot
        try:
            fcntl.lockf(handle, kind | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            raise ValueError(
                f"{os.fspath(place)}: another run is {_owner(path)}; wait until it has ended, stop "
                "it, or name another place"
            ) from None
        except OSError:
            os.close(handle)
            return
        if not _is_at(path, handle):  # its last owner has just deleted it
            os.close(handle)
            continue
        _held[path] = handle
        _sign(handle, "reading" if to_read else "writing to")


def share(place: str | os.PathLike[str]) -> None:
    """Let other runs read a place that is held, and written."""
    handle = _held.get(Path(f"{os.path.abspath(place)}.lock"))
    if handle is not None:
        fcntl.lockf(handle, fcntl.LOCK_SH)
        _sign(handle, "reading")


def release_all() -> None:
    """Release the locks of this process, and delete their files where no other run reads."""
    while _held:
        path, handle = _held.popitem()
        with contextlib.suppress(BlockingIOError, PermissionError):
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        os.close(handle)


def _sign(handle: int, what: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{what} it (host {platform.node()}, process {os.getpid()})".encode(), 0)


def _owner(path: Path) -> str:
    # It writes its name just after it took the lock.
    for _ in range(20):
        try:
            if found := path.read_text(encoding="utf-8", errors="replace"):
                return found
        except OSError:
            break
        time.sleep(0.05)
    return "using it (host and process unknown)"


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
