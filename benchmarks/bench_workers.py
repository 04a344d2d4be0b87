"""An image for each core, against all cores on one image: networks alone, on a CPU.

Whole stages gain more, since their workers load and write beside the threads: see RESULTS.md.
"""

from dataclasses import replace
from typing import Any

import torch

from benchmarks.bench_make_cam import SIZES
from benchmarks.harness import Row, fastest
from misc.machine.device import Compute
from misc.run.workers import map_images
from misc.settings.cores import usable_cores
from misc.train.networks import for_inference
from net.resnet50_cam import CAM
from net.resnet50_irn import EdgeDisplacement

SMALL = ((96, 128), (48, 64), (144, 192))  # an image of the demo, at its scales


def rows(*, full: bool = False) -> list[Row]:
    """Measure both ways in turn, with the start of the processes."""
    fields = EdgeDisplacement(backbone="resnet18", crop_size=128)
    return [
        _row("CAMs of the demo", CAM(20, backbone="resnet18"), SMALL, 64),
        _row("fields of the demo", fields, SMALL[:1], 64),
        _row("CAMs, 375×500, ResNet-50", CAM(20), SIZES, 4),
    ]


def _row(what: str, model: Any, sizes: tuple[tuple[int, int], ...], count: int) -> Row:
    together = Compute(device=torch.device("cpu"), num_workers=usable_cores())
    model = for_inference(model, together)
    pairs = [torch.randn(2, 3, *size) for size in sizes]

    @torch.inference_mode()
    def process(_image_id: str, _loaded: str) -> None:
        for pair in pairs:
            model(pair)

    def run(compute: Compute) -> None:
        list(
            map_images([str(n) for n in range(count)], str.upper, process=process, compute=compute)
        )

    each = replace(together, in_workers=True)
    before, after = fastest(lambda: run(together), lambda: run(each), repeats=3)
    return Row(
        what=f"{what}, {count} images, a core for each against all on one",
        goal="no slower",
        published_seconds=before,
        seconds=after,
        met=after <= before,
        note=f"float32, random weights, {usable_cores()} cores, fastest of three",
    )
