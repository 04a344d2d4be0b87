"""Instance and semantic labels of an image: all but the network, and the device process's time."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.harness import Row, interleaved
from benchmarks.scenes import GRID, SIZE, blobs, boundary, displacement
from misc.files.palette import voc_palette
from misc.indexing import propagate_to_edge
from misc.machine.device import Compute
from misc.run import synthesis
from misc.run.synthesis import Inputs, write_labels
from misc.run.workers import Way, map_images
from net.resnet50_irn import EdgeDisplacement

KEYS = np.array([0, 7])
IMAGES = 60
_SCORES = synthesis.ScoreSettings(radius=5, beta=10, exp_times=8)
SETTINGS = [
    synthesis.LabelSettings(
        kind="instance", scores=replace(_SCORES, small_displacement=2.5), background=0.25
    ),
    synthesis.LabelSettings(kind="semantic", scores=_SCORES, background=0.25),
]


def rows(*, full: bool = False) -> list[Row]:
    """Measure both kinds of label for images of two classes and six instances."""
    compute = Compute(device=torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        return [_all_but_the_network(Path(folder), compute), _device_process(Path(folder), compute)]


def _all_but_the_network(folder: Path, compute: Compute) -> Row:
    loaded, network = _load("0"), EdgeDisplacement()
    pair = torch.randn(2, 3, *SIZE)

    def process(image_id: str, loaded: Inputs) -> Way:
        return _way(folder, compute, image_id, loaded)

    def labels() -> None:
        list(map_images(["0"], lambda _: loaded, process=process))

    with torch.inference_mode():
        ours, forward = interleaved(labels, partial(network.eval(), pair))
    share = ours / forward
    return Row(
        what="instance + semantic labels, all but the network",
        goal="≤ 15 % of the network's forward",
        seconds=ours,
        met=share <= 0.15,
        note=f"network {forward:.2f} s: {100 * share:.1f} %",
        seconds_an_image={"make_ins_seg + make_sem_seg": ours + forward},
    )


def _device_process(folder: Path, compute: Compute) -> Row:
    """Measure the process that has the device, with a precomputed network and walk.

    It is the CPU time of all its threads, without its workers.
    """

    def process(image_id: str, loaded: Inputs) -> Way:
        return _way(folder, compute, image_id, loaded)

    ids = [str(number) for number in range(IMAGES)]
    with _one_thread(), mock.patch.object(synthesis, "propagate_to_edge", _walked):
        for kind in (ids[:4], ids):  # the first few fill caches
            start = time.process_time()
            for _ in map_images(kind, _load, process=process, num_workers=2):
                pass
            seconds = (time.process_time() - start) / len(kind)
    return Row(
        what="device process in the label stages, beside network and walk",
        goal="≤ 8 ms an image at 375×500",
        seconds=seconds,
        met=seconds <= 0.008,
        note="processor time of its threads; centroids, components, compression and PNGs run in "
        "the workers",
    )


def _walked(maps: torch.Tensor, *given: Any) -> torch.Tensor:
    """Propagate maps of a shape once, and return the cached result from then on."""
    if maps.shape not in _RESULTS:
        _RESULTS[maps.shape] = propagate_to_edge(maps, *given)
    return _RESULTS[maps.shape]


_RESULTS: dict[torch.Size, torch.Tensor] = {}
_FIELDS = boundary(*GRID), displacement(*GRID)


@contextmanager
def _one_thread() -> Iterator[None]:
    # Threads waiting for each other in parallel loops would count as busy.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _way(folder: Path, compute: Compute, image_id: str, loaded: Inputs) -> Way:
    folders = {"instance": str(folder / "ins"), "semantic": str(folder / "sem")}
    fields = synthesis.apply_irnet(lambda pair: _FIELDS, compute, loaded.image)
    write = partial(write_labels, folders, voc_palette(), image_id)
    return synthesis.synthesise(fields, loaded, SETTINGS, finish=write)


def _load(image_id: str) -> Inputs:
    cam = np.stack([blobs(*GRID, seed) for seed in (5, 6)])
    image = torch.zeros(3, *SIZE, dtype=torch.uint8)
    return Inputs(image=image, cam=torch.from_numpy(cam), keys=KEYS)
