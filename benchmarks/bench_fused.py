"""Batch norm fused into convolutions, and channels last, against plain layers, in float32.

`ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2` shows a plain machine on a better one.
"""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.bench_make_cam import SIZES
from benchmarks.harness import Row, fastest
from misc.machine.device import Compute
from misc.train.networks import for_inference
from net.resnet50_cam import CAM
from net.resnet50_irn import EdgeDisplacement

Call = Callable[[Any], torch.Tensor]


def rows(*, full: bool = False) -> list[Row]:
    """Measure each network both ways, side by side."""
    images = [torch.randn(2, 3, *size) for size in SIZES]
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
    ]


def _inferred(model: Any, image: torch.Tensor) -> Any:
    with torch.inference_mode():
        return model(image)


def _row(what: str, goal: str, build: Callable[[], Any], call: Call) -> Row:
    plain, fused = build(), build()
    fused.load_state_dict(plain.state_dict())
    fused = for_inference(fused, Compute(device=torch.device("cpu")))
    before, after = fastest(lambda: call(plain), lambda: call(fused))
    exact, found = call(plain), call(fused)
    return Row(
        what=f"{what}, fused and channels last against plain",
        goal=goal,
        published_seconds=before,
        seconds=after,
        error=float((found - exact).abs().max() / exact.abs().max()),
        met=before / after >= float(goal.strip("≥× ")),
        note=f"float32, random weights, {torch.get_num_threads()} threads, fastest of five",
    )
