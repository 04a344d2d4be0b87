"""Tells when another rank of a run has vanished, however long the ranks work or wait.

A rank that dies is noticed at once, by its closed connection, where ranks wait for each other. One
that stands still, or whose machine has gone without a word, closes nothing: that is found here.
"""

import os
import sys
import threading
from collections.abc import Sequence

import torch.distributed as dist

from misc.log import logger

BEAT_SECONDS = 5.0
SILENT_BEATS = 60  # after which a rank is lost; far more than anything holds Python's lock
FEW_BEATS = 3  # after which a rank is suspected, where one is known to be lost

_CAUSE = "cause"


class Heartbeat:
    """Tells the other ranks that this one lives, and ends the process where one has vanished.

    Beats are counted, not seconds: who was suspended itself does not take the others for lost.

    Args:
        store: that all ranks reach; used by this object alone.
        rank: this process's number.
        world_size: the number of ranks.
    """

    def __init__(self, store: dist.Store, rank: int, world_size: int) -> None:
        self._store = store
        self._rank = rank
        self._names = [f"beat/{number}" for number in range(world_size)]
        for name in self._names:
            store.add(name, 0)  # reading would wait for one that is not there
        self._heard: Sequence[bytes] = [b""] * world_size
        self._answers = 0
        self._silent = [0] * world_size
        self._stopped = threading.Event()
        # Two threads: asking a store whose machine has gone may never return.
        self._threads = [
            threading.Thread(target=loop, daemon=True) for loop in (self._beat, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Beat no more, and no more look after the others."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=1)

    def tell(self, reason: str) -> None:
        """Let the others know why this rank stops; the first reason of all ranks counts."""
        self._store.compare_set(_CAUSE, "", f"rank {self._rank}: {reason}")

    def known_loss(self) -> str:
        """Say which rank was lost, and why, as far as that is known; else the empty string."""
        try:
            if self._store.check([_CAUSE]):
                return self._store.get(_CAUSE).decode()
        except RuntimeError:  # the store has gone with the rank that was lost
            return ""
        silent = self._silent_for(FEW_BEATS)
        return f"nothing is heard of {_ranks(silent)}" if silent else ""

    def _beat(self) -> None:
        while True:
            try:
                self._store.add(self._names[self._rank], 1)
                self._heard = self._store.multi_get(self._names)
            except RuntimeError:
                return  # as silent as a store that does not answer
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
        f"rank {rank}: nothing was heard of {lost} for {SILENT_BEATS * BEAT_SECONDS:.0f} s: its "
        "process stands still or its machine has gone; give the same command again to go on"
    )
    logger.debug(reason)
    print(f"error: {reason}", file=sys.stderr, flush=True)
    # The main thread may wait for the lost rank where nothing can wake it. Nothing is lost: a run
    # may be killed anywhere.
    os._exit(2)
