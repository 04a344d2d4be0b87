"""Write the trained networks as programs that run without this one: ONNX, torch.export (--export).

A program takes an image as it is decoded and does its own preprocessing.
"""

import dataclasses
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from misc.files.atomic import atomic_path, write_json
from misc.files.digests import fingerprint
from misc.imutils import MEAN, STD
from misc.machine.device import Compute
from misc.run.log import logger
from misc.run.records import claim_folder
from misc.settings.config import Config
from misc.settings.metadata import EXPORTS, read_metadata
from net.build import WEIGHTS, open_network
from net.mask_rcnn import Transform

PAGE = "export.json"
CPU = Compute(device=torch.device("cpu"))  # the programs run on any device
LEAST_SIDE = 32  # pixels, in torch.export programs
INPUT = f"uint8 (1, 3, H, W), RGB from 0 to 255; in .pt2 H and W are at least {LEAST_SIDE}"


class Program(nn.Module):
    """A network with its preprocessing: a uint8 image (1, 3, H, W) in, `outputs` out."""

    preprocessing = f"in the program: RGB / 255, less the mean {MEAN}, divided by {STD}"
    outputs: ClassVar[dict[str, str]]
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net
        # Buffers move to a device with the program; constants of a trace do not.
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))

    def normalised(self, image: torch.Tensor) -> torch.Tensor:
        """Return an image as the network takes it, float32 (1, 3, H, W)."""
        return (image / 255 - self.mean) / self.std


class Classifier(Program):
    """The classification network."""

    outputs: ClassVar = {
        "logits": "float32 (1, C): the sigmoid is the probability of each of class_names",
        "maps": "float32 (1, C, h, w), at least 0: class attention maps; h is H/16, rounded up; "
        "make_cam adds those of the mirror image, flipped back",
    }

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the logits, and the maps without those of the mirror image."""
        features = self.net.features(self.normalised(image))
        logits = self.net.classifier(features.mean(dim=(2, 3), keepdim=True)).flatten(1)
        return logits, F.relu(F.conv2d(features, self.net.classifier.weight))


class Segmenter(Program):
    """DeepLab, at one scale and without the mirror image and the CRF."""

    outputs: ClassVar = {
        "probabilities": "float32 (1, C + 1, H, W): 0 is the background, 1 the first of "
        "class_names; a pixel's label is the argmax. --predict averages several scales and the "
        "mirror image, and refines by a CRF",
    }

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the probabilities in the size of the image."""
        found = F.softmax(self.net(self.normalised(image)), dim=1)
        return F.interpolate(found, image.shape[-2:], mode="bilinear", align_corners=False)


class Detector(Program):
    """Mask R-CNN, which resizes the image, and its results back."""

    outputs: ClassVar = {
        "boxes": "float32 (N, 4): left, top, right, bottom in pixels of the image",
        "labels": "int64 (N,): 1 is the first of class_names",
        "scores": "float32 (N,) from 0 to 1, the highest first",
        "masks": "float32 (N, 1, H, W) from 0 to 1: the object is where it is above 0.5",
    }

    def __init__(self, net: Any) -> None:
        super().__init__(net)
        usual = net.transform
        short, long = usual.min_size[-1], usual.max_size
        net.transform = TracedTransform(short, long, usual.image_mean, usual.image_std)
        self.preprocessing += f"; short side {short} pixels, long side at most {long}"

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the boxes, labels, scores and masks of N objects."""
        (found,) = self.net([image[0] / 255])
        return tuple(found[name] for name in self.outputs)


class TracedTransform(Transform):
    """The same resizing, in tensors: the size of the image stays a variable of the trace."""

    def resize(self, image: torch.Tensor, target: Any = None) -> Any:
        """Resize an image (3, H, W)."""
        sides = torch.stack([torch.as_tensor(side) for side in image.shape[-2:]]).double()
        limits = torch.tensor([self.min_size[-1], self.max_size]).double()
        scale = (limits / torch.stack([sides.min(), sides.max()])).min()
        size: Any = (sides * scale).long().clamp(min=1).unbind()
        return F.interpolate(image[None], size, mode="bilinear", align_corners=False)[0], target


PROGRAMS: dict[str, Any] = {"mask_rcnn": Detector, "deeplab": Segmenter, "cam": Classifier}


def run(config: Config) -> None:
    """Write the programs of the networks whose weights are there, and export.json, to --export.

    Raises:
        ValueError, OSError: in one line, why no program is written.
    """
    folder = Path(config.export or "")
    weights = {name: vars(config)[name + WEIGHTS] for name in EXPORTS}
    there = {name: path for name, path in weights.items() if Path(path).is_file()}
    if not there:
        flags = ", ".join(f"--{name}{WEIGHTS} {path}" for name, path in weights.items())
        raise FileNotFoundError(f"--export {folder}: there are no weights to export: {flags}")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--export {folder}: a file; accepted is a folder")
    known = {name: read_metadata(path, name) for name, path in there.items()}
    own = {f"{n}{WEIGHTS}": f"a file of SHA-256 {fingerprint(path)}" for n, path in there.items()}
    files = [PAGE, *(f"{name}{ending}" for name in EXPORTS for ending in WRITERS)]
    claim_folder(folder, {"export": own}, files=files, images={}, overwrite=config.overwrite)
    left_out = {name: f"no weights {path}" for name, path in weights.items() if name not in there}
    networks = {}
    # Flags that differ from these settings are refused where flags are read.
    for name, each in known.items():
        settings = dataclasses.replace(config, **each.settings)
        net = open_network(settings, name, len(each.class_names), CPU)
        program = PROGRAMS[name](net).eval().requires_grad_(False)
        networks[name] = {
            "files": write_program(program, folder, name, left_out),
            "dataset": each.dataset,
            "class_names": each.class_names,
            "input": {"image": INPUT},
            "preprocessing": program.preprocessing,
            "outputs": program.outputs,
        }
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, why in left_out.items() if why == reason]
        logger.warning("%s left out: %s", ", ".join(names), reason)
    if not any(each["files"] for each in networks.values()):
        raise ValueError(f"--export {folder}: nothing could be written, for the reasons above")
    write_json(folder / PAGE, {"networks": networks, "left_out": left_out})
    logger.info("%s says how to use the programs", folder / PAGE)


def write_program(program: Any, folder: Path, name: str, left_out: dict[str, str]) -> list[str]:
    """Write a program in each form; return the files, and add the reasons of others to left_out."""
    files = []
    for ending, write in WRITERS.items():
        path = folder / f"{name}{ending}"
        try:
            with warnings.catch_warnings(action="ignore"), torch.no_grad():
                write(program, path)
        except (ValueError, RuntimeError, AttributeError, TypeError) as error:
            # Ours, or torch's on a network of the user's own.
            path.unlink(missing_ok=True)
            left_out[path.name] = str(error).splitlines()[0]
        else:
            files.append(path.name)
            logger.info("%s", path)
    return files


def write_torch(program: Any, path: Path) -> None:
    """Write a torch.export program; RuntimeError and others where that is not possible."""
    if isinstance(program, Detector):
        raise ValueError("torch.export takes no outputs whose number depends on the image")
    sides = (torch.export.Dim(side, min=LEAST_SIDE) for side in ("height", "width"))
    shapes = {"image": dict(zip((2, 3), sides, strict=True))}
    exported = torch.export.export(program, (_example(),), dynamic_shapes=shapes, strict=False)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.export.save(exported, file)


def write_onnx(program: Any, path: Path) -> None:
    """Write an ONNX program, traced: that also takes detectors."""
    if find_spec("onnx") is None:
        raise ValueError("the package onnx is not installed: pip install onnx")
    with atomic_path(path) as temporary:
        torch.onnx.export(
            program,
            (_example(),),
            temporary,
            input_names=["image"],
            output_names=list(program.outputs),
            dynamic_axes={"image": {2: "height", 3: "width"}},
            dynamo=False,
        )


WRITERS: dict[str, Callable[[Any, Path], None]] = {".pt2": write_torch, ".onnx": write_onnx}


def _example() -> torch.Tensor:
    return torch.arange(3 * 96 * 80).reshape(1, 3, 96, 80).byte()
