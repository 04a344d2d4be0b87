"""The cores that this process may use, and how its threads share them with other work."""

import os
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores by the process's affinity and its container's quota.

    `root` is the folder that has sys/.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # of Linux alone
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    # Of both versions of cgroups.
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = " ".join((root / "sys/fs/cgroup" / file).read_text() for file in files)
            quota, period = map(int, words.split())
        except (OSError, ValueError):  # no such file, or no limit
            continue
        if quota > 0:
            cores = min(cores, -(-quota // period))
    return max(1, cores)


def let_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait for each other: by default they take a core.

    To be called before torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
