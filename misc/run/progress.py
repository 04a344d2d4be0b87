"""Progress bars, which say where in the whole of a run they are."""

import contextlib
import threading
from collections.abc import Iterator

from tqdm import tqdm

from misc.machine import ranks

_place = ""
# One process has bars: tqdm's own lock is of many, and told as leaked where a signal ends this one.
tqdm.set_lock(threading.RLock())


@contextlib.contextmanager
def stage(number: int, count: int) -> Iterator[None]:
    """Mark the bars within the context as those of a stage: number, from 1, of count."""
    global _place
    _place = f"{number}/{count} "
    try:
        yield
    finally:
        _place = ""


def bar(*, total: int, initial: int, description: str, unit: str) -> "tqdm[None]":
    """Return a progress bar, shown by the first rank alone, that says which stage it is in."""
    return tqdm(
        total=total,
        initial=initial,
        desc=_place + description,
        unit=unit,
        disable=not ranks.is_first(),
    )
