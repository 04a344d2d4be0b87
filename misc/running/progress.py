"""Where in the whole of a run its progress bars are, and about how long it takes."""

import contextlib
import time
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from tqdm import tqdm

from misc.machine import ranks
from misc.machine.device import Compute
from misc.running.stage import Stage
from misc.settings.config import SETTINGS, Config
from misc.settings.flags import defaults
from misc.settings.stage_times import FREE, PROBES

PROBE_SECONDS = 0.3
_place = ""


@contextlib.contextmanager
def stage(number: int, count: int) -> Iterator[None]:
    """Mark the bars within the context as those of a stage: number, from 1, of count."""
    global _place
    _place = f"{number}/{count} "
    try:
        yield
    finally:
        _place = ""


class _Bar(tqdm):
    def __del__(self) -> None:
        # An interrupt may stop it halfway through being made, when it has nothing to close.
        if hasattr(self, "pos"):
            super().__del__()


def bar(*, total: int, initial: int, description: str, unit: str) -> "tqdm[None]":
    """Return a progress bar, shown by the first rank alone, that says which stage it is in."""
    return _Bar(
        total=total,
        initial=initial,
        desc=_place + description,
        unit=unit,
        disable=not ranks.is_first(),
    )


def outlook(config: Config, chosen: Sequence[Stage], compute: Compute) -> str:
    """Say how many stages run and, where it is known, about how long they take on this machine."""
    count = f"{len(chosen)} stage{'s' * (len(chosen) != 1)}"
    probes = PROBES.get(config.preset)
    if probes is None or not _is_as_preset(config):
        return count
    minutes = sum(probes[stage.name] for stage in chosen) * probe(compute.device) / 60
    return f"{count}, at most about {max(1, round(minutes))} min on this machine"


def probe(device: torch.device) -> float:
    """Return the seconds of a small training step of convolutions, in float32."""
    layers = [nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 256, 1), nn.ReLU()]
    compute = Compute(device=device)
    model = compute.place(nn.Sequential(*layers, nn.Conv2d(256, 64, 1)))
    image = compute.put(torch.ones(8, 64, 36, 48))
    end, best = time.perf_counter() + PROBE_SECONDS, float("inf")
    while time.perf_counter() < end:
        start = time.perf_counter()
        loss = model(image).square().mean()
        loss.backward()
        loss.item()  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    return best


def _is_as_preset(config: Config) -> bool:
    """Return whether every setting that takes time is the preset's."""
    values = vars(config)
    return all(
        values[name] == usual
        for name, usual in defaults(config.preset).items()
        if not (name in FREE or SETTINGS[name].is_output or name.endswith("_pass"))
    )
