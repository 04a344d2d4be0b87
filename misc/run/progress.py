"""Progress bars, which say where in the whole of a run they are."""

import threading

from tqdm import tqdm

from misc.machine import ranks

_place = ""
# One process has bars: tqdm's own lock is of many, and told as leaked where a signal ends this one.
tqdm.set_lock(threading.RLock())


def in_stage(number: int, count: int) -> None:
    """Mark the bars to come as those of a stage: number, from 1, of count."""
    global _place
    _place = f"{number}/{count} "


def bar(*, total: int, initial: int, description: str, unit: str) -> "tqdm[None]":
    """Return a progress bar, shown by the first rank alone, that says which stage it is in."""
    return tqdm(
        total=total,
        initial=initial,
        desc=_place + description,
        unit=unit,
        disable=not ranks.is_first(),
    )
