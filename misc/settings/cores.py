"""The cores that this process may use: not always all that the machine has."""

import os
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores by the process's affinity and the quota of its cgroup.

    Args:
        root: the folder that has proc and sys.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # of Linux alone
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([cores, *_quotas(root)]))


def _quotas(root: Path) -> list[int]:
    """Read the limits of the cgroups around this process, of both versions of cgroups."""
    groups = root / "sys/fs/cgroup"
    files = [groups / "cpu.max", groups / "cpu/cpu.cfs_quota_us"]
    for line in _text(root / "proc/self/cgroup").splitlines():
        own = Path(line.rpartition(":")[2].lstrip("/"))
        files += [groups / folder / "cpu.max" for folder in (own, *own.parents)]
    found = []
    for file in files:
        words = _text(file).split()
        if file.name == "cpu.cfs_quota_us":
            words += _text(file.with_name("cpu.cfs_period_us")).split()
        if len(words) == 2 and all(word.isdecimal() for word in words):  # else there is no limit
            quota, period = map(int, words)
            found.append(-(-quota // period))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
