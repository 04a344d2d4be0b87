"""Signals that end a run: Ctrl-C, and what a scheduler or a closed terminal sends."""

import os
import signal
import threading
from collections.abc import Collection

AGAIN = "run the same command again to resume"
LINES = {
    signal.SIGINT: f"interrupted; {AGAIN}",
    signal.SIGTERM: f"interrupted by SIGTERM; {AGAIN}",
    signal.SIGHUP: f"interrupted by SIGHUP; {AGAIN}",
}


def end_on_signals() -> None:
    """Let these signals end this process at once, in one line, whatever it does then.

    Nothing has to be unwound: results and checkpoints are written whole or not at all, and worker
    processes end with this one. A thread waits for the signals, since the main thread may wait for
    other ranks for hours. Call it before other threads start. A signal that is ignored, for
    example by nohup, stays ignored.
    """
    numbers = {number for number in LINES if signal.getsignal(number) != signal.SIG_IGN}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    threading.Thread(target=_end_on, args=(numbers,), daemon=True).start()


def _end_on(numbers: Collection[int]) -> None:
    number = signal.sigwait(numbers)
    try:
        if os.environ.get("RANK", "0") == "0":
            os.write(2, f"\nerror: {LINES[signal.Signals(number)]}\n".encode())
    finally:
        os._exit(128 + number)
