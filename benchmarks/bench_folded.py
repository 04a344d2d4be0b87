"""Batch norm folded into convolutions, and channels last, against plain layers, in float32.

`ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2` shows a plain machine on a better one.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch

from benchmarks.bench_make_cam import SIZES
from benchmarks.harness import Row, fastest
from misc.indexing import PathIndex
from misc.machine.device import Compute
from net.resnet50_cam import CAM
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement

Call = Callable[[Any], torch.Tensor]


def rows(*, full: bool = False) -> list[Row]:
    """Measure each network both ways, side by side."""
    images = [torch.randn(2, 3, *size) for size in SIZES]
    crop, label = torch.randn(4, 3, 320, 320), torch.randint(0, 3, (4, 80, 80), dtype=torch.uint8)

    def step(model: Any) -> torch.Tensor:
        model.zero_grad()
        total = torch.stack(list(model(crop, label).values())).sum()
        total.backward()
        return total.detach()

    return [
        _row(
            "make_cam forward, four scales",
            "≥ 1.8×",
            lambda: CAM(20).eval(),
            lambda model: torch.cat([_inferred(model, x).flatten() for x in images]),
        ),
        _row(
            "IRNet's fields, 375×500",
            "≥ 1.5×",
            lambda: EdgeDisplacement().eval(),
            lambda model: _inferred(model, images[0])[1],
        ),
        _row(
            "IRNet's training step, batch size 4, crops of 320",
            "≥ 1.5×",
            lambda: AffinityDisplacementLoss(PathIndex(10, (80, 80))).train(),
            step,
        ),
    ]


def _inferred(model: Any, image: torch.Tensor) -> Any:
    with torch.inference_mode():
        return model(image)


def _row(what: str, goal: str, build: Callable[[], Any], call: Call) -> Row:
    with mock.patch("net.backbone.fold_batch_norm"):
        plain = build()
    folded = build()
    folded.load_state_dict(plain.state_dict())
    folded = Compute(device=torch.device("cpu")).place(folded)
    before, after = fastest(lambda: call(plain), lambda: call(folded))
    exact, found = call(plain), call(folded)
    return Row(
        what=f"{what}, folded and channels last against plain",
        goal=goal,
        published_seconds=before,
        seconds=after,
        error=float((found - exact).abs().max() / exact.abs().max()),
        met=before / after >= float(goal.strip("≥× ")),
        note=f"float32, random weights, {torch.get_num_threads()} threads, fastest of five",
    )
