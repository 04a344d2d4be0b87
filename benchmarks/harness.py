"""Timing and memory, measured the same way for every row."""

import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from misc.run.log import table


@dataclass(kw_only=True)
class Row:
    """One line of the results: what was measured, the goal, and the result.

    `seconds_an_image` names the stages whose time for one image was measured along with it.
    """

    what: str
    goal: str
    met: bool | None = None
    published_seconds: float | None = None
    seconds: float | None = None
    error: float | None = None
    peak_mb: float | None = None
    note: str = ""
    seconds_an_image: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times faster than the published method."""
        if self.published_seconds is None or not self.seconds:
            return None
        return self.published_seconds / self.seconds


def interleaved(*functions: Callable[[], Any], repeats: int = 5, warmup: int = 1) -> list[float]:
    """Return each function's median seconds, called in turn so that noise affects all alike."""
    return [statistics.median(seconds) for seconds in _times(functions, repeats, warmup)]


def fastest(*functions: Callable[[], Any], repeats: int = 5, warmup: int = 1) -> list[float]:
    """Return each function's least seconds, called in turn: for a machine that others use."""
    return [min(seconds) for seconds in _times(functions, repeats, warmup)]


def _times(functions: Sequence[Callable[[], Any]], repeats: int, warmup: int) -> list[list[float]]:
    for _ in range(warmup):
        for function in functions:
            function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return times


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@contextmanager
def peak_memory() -> Iterator[dict[str, float]]:
    """Fill `{"mb": …}` with the growth of resident memory over its start, sampled each ms."""
    result = {"mb": 0.0}
    stop = threading.Event()
    start = _resident_mb()

    def watch() -> None:
        while not stop.is_set():
            result["mb"] = max(result["mb"], _resident_mb() - start)
            time.sleep(0.001)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield result
    finally:
        stop.set()
        watcher.join()
        result["mb"] = max(result["mb"], _resident_mb() - start)


def in_fresh_process(module: str, *arguments: str) -> str:
    """Run `python -m module arguments` and return what it printed (for clean peak memory)."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def machine() -> str:
    """Describe the machine: processor, threads, GPU if there is one, versions."""
    import torch

    from misc.machine.device import processor

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    threads = f"{torch.get_num_threads()} threads"
    python = platform.python_version()
    return f"{processor()}, {threads}{gpu}, Python {python}, torch {torch.__version__}"


def markdown(rows: Sequence[Row]) -> str:
    """Format the rows as a Markdown table."""
    cells = [
        (
            "what",
            "goal",
            "met",
            "published way",
            "ours",
            "times faster",
            "largest error",
            "MB",
            "note",
        )
    ]
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "no"
        cells.append(
            (
                row.what,
                row.goal,
                met,
                _seconds(row.published_seconds),
                _seconds(row.seconds),
                "" if row.ratio is None else f"{row.ratio:.1f}",
                "" if row.error is None else f"{row.error:.1e}",
                "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
                row.note,
            )
        )
    return table(cells)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
