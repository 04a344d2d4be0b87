"""The benchmark's GPU columns, to paste into RESULTS.md: `python -m benchmarks.gpu`.

Each row is one image of 375×500, or one training step with the published batch sizes and crops,
with random weights.
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
from misc.machine.device import Compute, allow_tf32, describe_machine, pick_device
from misc.run.log import table
from misc.train.inference import scale_maps
from net.deeplab import DeepLab
from net.mask_rcnn import mask_rcnn
from net.resnet50_cam import CAM, Net
from net.resnet50_irn import AffinityDisplacementLoss, EdgeDisplacement
from step.train_cam import classification_loss
from step.train_deeplab import segmentation_loss
from step.train_irn import relation_losses
from step.train_mask_rcnn import detection_losses

PRECISIONS = ("fp32", "tf32", "bf16")
Call = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of the inputs, and the repeats of a row; smaller ones are for tests."""

    image: tuple[int, int] = (375, 500)
    crop: int = 512
    batch: int = 16
    detector: tuple[int, int] = (512, 683)
    detector_batch: int = 4
    segmentation_crop: int = 321
    segmentation_batch: int = 10
    scales: tuple[float, ...] = (1.0, 0.5, 1.5, 2.0)
    repeats: int = 10
    warmup: int = 3


def gpu_table(device: torch.device, sizes: Sizes, precisions: tuple[str, ...] = PRECISIONS) -> str:
    """Measure time and memory of every row in each precision; the walk is float32 in all."""
    heading, rows = ["what"], dict[str, list[str]]()
    for precision in precisions:
        allow_tf32(precision == "tf32")
        compute = Compute(device=device, precision=precision)
        heading += [f"{precision}, ms", "GB"]
        for name, call in _calls(compute, sizes):
            seconds, memory = _measure(call, device, sizes)
            rows.setdefault(name, [name]).extend((f"{1000 * seconds:.1f}", memory))
    return table([heading, *rows.values()])


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
    crops = torch.randn(sizes.batch, 3, sizes.crop, sizes.crop)
    labels = torch.randint(0, 2, (sizes.batch, 20)).float()
    net = compute.place(Net(20)).train()
    yield "train_cam, a step", _step(net, classification_loss, (crops, labels), compute)
    side = sizes.crop // 4
    relation = torch.randint(0, 3, (sizes.batch, side, side), dtype=torch.uint8)
    losses = compute.place(AffinityDisplacementLoss(PathIndex(10, (side, side)))).train()
    yield "train_irn, a step", _step(losses, relation_losses, (crops, relation), compute)
    detector = compute.place(mask_rcnn(20, min_size=sizes.detector[0], max_size=800)).train()
    photographs = [torch.rand(3, *sizes.detector) for _ in range(sizes.detector_batch)]
    targets = [_objects(*sizes.detector) for _ in photographs]
    yield (
        "train_mask_rcnn, a step",
        _step(detector, detection_losses, (photographs, targets), compute),
    )
    side, batch = sizes.segmentation_crop, sizes.segmentation_batch
    deeplab = compute.place(DeepLab(21)).train()
    segments = torch.randint(0, 21, (batch, side, side), dtype=torch.uint8)
    crops = torch.randn(batch, 3, side, side)
    yield (
        "train_deeplab, a step",
        _step(deeplab, segmentation_loss, (crops, segments), compute),
    )


def _image(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8)


@torch.inference_mode()
def _fields(model: Any, image: torch.Tensor, compute: Compute) -> Any:
    with compute.autocast():
        return model(with_mirror(normalize(compute.put(image))))


def _objects(height: int, width: int) -> dict[str, torch.Tensor]:
    """Return three objects as `DetectionSamples` has them."""
    masks = torch.zeros(3, height, width, dtype=torch.uint8)
    masks[:, height // 4 : height // 2, width // 4 : width // 2] = 1
    box = [width // 4, height // 4, width // 2, height // 2]
    return {"boxes": torch.tensor(3 * [box]).float(), "labels": torch.arange(1, 4), "masks": masks}


def _step(model: Any, losses: Callable[..., Any], batch: Any, compute: Compute) -> Call:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9)

    def step() -> None:
        with compute.autocast():
            terms = losses(model, compute.put(batch))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()

    return step


def _measure(call: Call, device: torch.device, sizes: Sizes) -> tuple[float, str]:
    """Return a call's median seconds, and the memory of all it allocated at its peak, in GB."""
    on_gpu = device.type == "cuda"

    def finished() -> None:
        call()
        if on_gpu:
            torch.cuda.synchronize(device)

    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = interleaved(finished, repeats=sizes.repeats, warmup=sizes.warmup)[0]
    return seconds, f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f}" if on_gpu else ""


if __name__ == "__main__":
    try:
        chosen = pick_device("cuda")
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(
        f"Measured on {describe_machine(Compute(device=chosen))}.\n\n{gpu_table(chosen, Sizes())}"
    )
