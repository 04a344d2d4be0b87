"""An interrupt (Ctrl-C) that is never swallowed.

Python drops an exception that is raised in a destructor, and data loaders spend much of their time
in theirs: an interrupt there would be printed and ignored, and the run would continue.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AGAIN_SECONDS = 0.5


@contextmanager
def kept_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGINT, again and again until it has left this context."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread handles signals
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    signal.signal(signal.SIGINT, _interrupt)
    hook, sys.unraisablehook = sys.unraisablehook, _report_all_but_interrupts
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGALRM) is _interrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _interrupt(*_: Any) -> None:
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt


def _report_all_but_interrupts(unraisable: Any) -> None:
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
