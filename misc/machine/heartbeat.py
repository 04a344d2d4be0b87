"""Detect that another rank of a run is lost, however long the ranks work or wait.

A rank that dies is noticed at once, by its closed connection, where ranks wait for each other. One
that hangs, or whose machine has vanished, closes nothing: that is detected here.
"""

import os
import sys
import threading
from collections.abc import Sequence

import torch.distributed as dist

from misc.running.log import logger

BEAT_SECONDS = 5.0
SILENT_BEATS = 60  # after which a rank is lost; far longer than anything holds the GIL
FEW_BEATS = 3  # after which a rank is suspected, where one is known to be lost

_CAUSE = "cause"


class Heartbeat:
    """Signals to the other ranks that this one is alive, and ends the process if one is lost.

    Beats are counted, not seconds: a rank that was itself suspended does not declare others lost.

    Args:
        store: shared by all ranks; a client used by this object alone.
        rank: this process's number.
        world_size: the number of ranks.
    """

    def __init__(self, store: dist.Store, rank: int, world_size: int) -> None:
        self._store = store
        self._rank = rank
        self._names = [f"beat/{number}" for number in range(world_size)]
        for name in self._names:
            store.add(name, 0)  # reading a missing key would block
        self._heard: Sequence[bytes] = [b""] * world_size
        self._answers = 0
        self._silent = [0] * world_size
        self._stopped = threading.Event()
        # Two threads: a call to a store whose machine is gone may never return.
        self._threads = [
            threading.Thread(target=loop, daemon=True) for loop in (self._beat, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the heartbeat and the watching of the others."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=1)

    def tell(self, reason: str) -> None:
        """Tell the other ranks why this one stops; the first reason of all ranks counts."""
        self._store.compare_set(_CAUSE, "", f"rank {self._rank}: {reason}")

    def known_loss(self) -> str:
        """Return which rank was lost, and why, if that is known; else the empty string."""
        try:
            if self._store.check([_CAUSE]):
                return self._store.get(_CAUSE).decode()
        except RuntimeError:  # the store was lost with its rank
            return ""
        silent = self._silent_for(FEW_BEATS)
        return f"no heartbeat from {_ranks(silent)}" if silent else ""

    def _beat(self) -> None:
        while True:
            try:
                self._store.add(self._names[self._rank], 1)
                self._heard = self._store.multi_get(self._names)
            except RuntimeError:
                return  # then no answers come, as from a store that hangs
            self._answers += 1
            if self._stopped.wait(BEAT_SECONDS):
                return

    def _watch(self) -> None:
        heard, answers, unanswered = self._heard, self._answers, 0
        while not self._stopped.wait(BEAT_SECONDS):
            unanswered = 0 if self._answers != answers else unanswered + 1
            answers = self._answers
            if unanswered >= SILENT_BEATS:
                _end(self._rank, "the machine of the first rank")
            if unanswered:
                continue
            before, heard = heard, self._heard
            self._silent = [
                count + 1 if old == new else 0
                for count, old, new in zip(self._silent, before, heard, strict=True)
            ]
            if lost := self._silent_for(SILENT_BEATS):
                _end(self._rank, _ranks(lost))

    def _silent_for(self, beats: int) -> list[int]:
        return [number for number, count in enumerate(self._silent) if count >= beats]


def _ranks(numbers: Sequence[int]) -> str:
    return f"rank{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _end(rank: int, lost: str) -> None:
    reason = (
        f"rank {rank}: no heartbeat from {lost} for {SILENT_BEATS * BEAT_SECONDS:.0f} s: its "
        "process hangs or its machine is gone; run the same command again to resume"
    )
    logger.debug(reason)
    print(f"error: {reason}", file=sys.stderr, flush=True)
    # The main thread may be blocked in a collective. Nothing is lost: a run may be killed anywhere.
    os._exit(2)
