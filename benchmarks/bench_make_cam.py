"""make_cam's forward, four scales with mirrors, in float32 and in bfloat16."""

import torch

from benchmarks.harness import Row, interleaved
from misc.machine.device import Compute, resolve_precision
from net.resnet50_cam import CAM

SIZES = ((375, 500), (188, 250), (562, 750), (750, 1000))


def rows(*, full: bool = False) -> list[Row]:
    """Measure both, side by side."""
    device = torch.device("cpu")
    pairs = [torch.randn(2, 3, *size) for size in SIZES]
    network = CAM(20).eval()
    single = Compute(device=device)
    half = Compute(device=device, precision="bf16")
    fast = half.place(CAM(20).eval())
    fast.load_state_dict(network.state_dict())

    def forward(model: CAM, compute: Compute) -> list[torch.Tensor]:
        with torch.inference_mode(), compute.autocast():
            return [model(pair).float() for pair in pairs]

    seconds32, seconds16 = interleaved(
        lambda: forward(network, single), lambda: forward(fast, half)
    )
    exact, rounded = forward(network, single)[0], forward(fast, half)[0]
    error = float((rounded - exact).abs().max() / exact.max())
    native = resolve_precision(device, "auto") == "bf16"
    return [
        Row(
            what="make_cam forward, four scales, bf16 against float32",
            goal="≥ 1.8× where the processor has bf16",
            published_seconds=seconds32,
            seconds=seconds16,
            error=error,
            met=seconds32 / seconds16 >= 1.8 if native else None,
            note="random weights",
            seconds_an_image={"make_cam": seconds32},
        )
    ]
