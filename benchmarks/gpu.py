"""The benchmark's GPU column, to paste into RESULTS.md: `python -m benchmarks.gpu`.

Each row is one image of 375×500, or one training step with batch size 16 and crops of 512, with
random weights.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.harness import interleaved
from benchmarks.scenes import boundary
from misc.imutils import normalize, with_mirror
from misc.indexing import PathIndex, propagate_to_edge
from misc.machine.device import Compute, allow_tf32, pick_device
from misc.machine.facts import describe_machine
from misc.run.log import table
from misc.train.inference import scale_maps
from net.resnet50_cam import CAM, Net
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement
from step.train_cam import classification_loss
from step.train_irn import relation_losses

PRECISIONS = ("fp32", "tf32", "bf16")
Call = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of the inputs, and the repeats of a row; smaller ones are for tests."""

    image: tuple[int, int] = (375, 500)
    crop: int = 512
    batch: int = 16
    scales: tuple[float, ...] = (1.0, 0.5, 1.5, 2.0)
    repeats: int = 10
    warmup: int = 3


def gpu_table(device: torch.device, sizes: Sizes, precisions: tuple[str, ...] = PRECISIONS) -> str:
    """Measure every row in each precision; the walk computes in float32 in all of them."""
    columns: list[dict[str, float]] = []
    for precision in precisions:
        allow_tf32(precision == "tf32")
        compute = Compute(device=device, precision=precision)
        columns.append({n: _seconds(c, device, sizes) for n, c in _calls(compute, sizes)})
    rows = [["what", *(f"{precision}, ms" for precision in precisions)]]
    rows += [[name, *(f"{1000 * c[name]:.1f}" for c in columns)] for name in columns[0]]
    return table(rows)


def _calls(compute: Compute, sizes: Sizes) -> Iterator[tuple[str, Call]]:
    """Yield one row's call after the other; a row's networks are freed before the next."""
    height, width = sizes.image
    grid = tuple((side - 1) // 4 + 1 for side in sizes.image)
    images = [_image(round(height * s), round(width * s)) for s in sizes.scales]
    cam = compute.place(CAM(20)).eval()
    keys = torch.tensor([0, 7]).numpy()
    yield "make_cam, four scales", lambda: scale_maps(cam, images, keys=keys, compute=compute)
    irn = compute.place(EdgeDisplacement(crop_size=sizes.crop)).eval()
    yield "IRNet's fields", lambda: _fields(irn, images[0], compute)
    edge = compute.put(boundary(*grid))
    for maps in (3, 20):
        scores = torch.rand(maps, *grid, device=compute.device)
        yield f"random walk, {maps} maps", partial(propagate_to_edge, scores, edge)
    crop = torch.randint(0, 256, (sizes.batch, 3, sizes.crop, sizes.crop), dtype=torch.uint8)
    extent = torch.tensor([0, sizes.crop, 0, sizes.crop]).repeat(sizes.batch, 1)
    labels = torch.randint(0, 2, (sizes.batch, 20)).float()
    net = compute.place(Net(20)).train()
    yield "train_cam, a step", _step(net, classification_loss, (crop, extent, labels), compute)
    side = sizes.crop // 4
    relation = torch.randint(0, 3, (sizes.batch, side, side), dtype=torch.uint8)
    losses = compute.place(AffinityDisplacementLoss(PathIndex(10, (side, side)))).train()
    yield "train_irn, a step", _step(losses, relation_losses, (crop, extent, relation), compute)


def _image(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8)


@torch.inference_mode()
def _fields(model: Any, image: torch.Tensor, compute: Compute) -> Any:
    with compute.autocast():
        return model(with_mirror(normalize(compute.put(image))))


def _step(model: Any, losses: Callable[..., Any], batch: Any, compute: Compute) -> Call:
    def step() -> None:
        with compute.autocast():
            terms = losses(model, compute.put(batch))
        torch.stack(list(terms.values())).sum().backward()
        model.zero_grad()

    return step


def _seconds(call: Call, device: torch.device, sizes: Sizes) -> float:
    def finished() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return interleaved(finished, repeats=sizes.repeats, warmup=sizes.warmup)[0]


if __name__ == "__main__":
    try:
        chosen = pick_device("cuda")
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(
        f"Measured on {describe_machine(Compute(device=chosen))}.\n\n{gpu_table(chosen, Sizes())}"
    )
