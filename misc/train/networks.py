"""Networks as named in the settings: their modules, weights and backbones."""

import contextlib
import importlib
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FrozenBatchNorm2d

from misc.machine.device import Compute
from misc.settings.config import Config
from misc.train.pretrained import load_pretrained
from misc.train.weights import OtherNetwork, load_weights, read_state_dict

# What stages ask of each class of a plugged-in module; docs/ARCHITECTURE.md says what it does.
USED = {
    "Net": ("resnet50", "trainable_parameters", "load_published"),
    "CAM": ("load_published",),
    "AffinityDisplacementLoss": (
        *("resnet50", "trainable_parameters", "load_published"),
        *("features", "displacement", "mean_shift.running_mean"),
    ),
    "EdgeDisplacement": ("load_published",),
}

# Modules whose children are applied in the order in which they are listed, up to the batch norms.
IN_ORDER = (nn.Sequential, ResNet, IntermediateLayerGetter, BasicBlock, Bottleneck)


def make_network(flag: str, name: str, form: str, *arguments: Any, **options: Any) -> Any:
    """Build a class of the module that a flag names, with random weights.

    Args:
        flag: `cam_network` or `irn_network`.
        name: the flag's value, a module.
        form: the class, one of `USED`.
        arguments: those of the class.
        options: its keyword arguments.

    Raises:
        ValueError: there is no such module, or it lacks what stages use.
    """
    try:
        network = getattr(importlib.import_module(name), form)(*arguments, **options)
        for part in USED[form]:
            attrgetter(part)(network)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"--{flag} {name}: {error}; docs/ARCHITECTURE.md says what a network has"
        ) from error
    return network


def for_inference(model: Any, compute: Compute) -> Any:
    """Move a network to the device in eval mode, batch norm fused into its convolutions, in place.

    It gives what it gave before, within rounding and faster, but neither learns nor is saved.
    """
    model.eval()
    for parent in [module for module in model.modules() if type(module) in IN_ORDER]:
        for (name, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if type(conv) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d | FrozenBatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(conv, norm))
                setattr(parent, norm_name, nn.Identity())
    return compute.place(model)


def load_network(model: Any, path: str, *, flag: str, stage: str, compute: Compute) -> Any:
    """Load a weights file into a network, for inference on the device alone.

    Raises:
        FileNotFoundError: no such file; names the stage that makes it.
        ValueError: the weights are of another network.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--{flag} {path}: no such file; the stage {stage} makes it: --{stage}_pass True"
        )
    model.load_published(read_state_dict(path), source=f"--{flag} {path}")
    return for_inference(model, compute)


def classifier(config: Config, num_classes: int, form: str, **options: Any) -> Any:
    """Build a form of the classification network, `Net` or `CAM`, with random weights."""
    options["backbone"] = config.backbone
    return make_network("cam_network", config.cam_network, form, num_classes, **options)


def irnet(config: Config) -> Any:
    """Build IRNet in its inference form, with random weights."""
    options = {"crop_size": config.irn_pad, "backbone": config.backbone}
    return make_network("irn_network", config.irn_network, "EdgeDisplacement", **options)


def check_weights(
    build: Callable[[], Any], flag: str, paths: Sequence[str | Path], coming: Collection[Path]
) -> None:
    """Build a network, and compare with it the weights that a stage will load into it.

    Args:
        build: builds the network.
        flag: names the weights.
        paths: their files; what is not there is not compared.
        coming: files that an earlier stage will write, which are not compared.

    Raises:
        ValueError: the network cannot be built, or weights do not fit.
    """
    with _outlines():
        model = _outline(build)
        for path in map(Path, paths):
            if path.is_file() and path not in coming:
                model.load_published(read_state_dict(path), source=f"--{flag} {path}")


def check_backbone(
    build: Callable[[], Any],
    part: str,
    config: Config,
    num_classes: int,
    name: str,
    coming: Collection[Path],
) -> None:
    """Build a network, and compare with it what `load_backbone` will load into its backbone.

    Args:
        build: builds the network.
        part: its attribute that is the backbone, dotted.
        config: the settings.
        num_classes: number of foreground classes.
        name: of the backbone, as --backbone takes it.
        coming: files that an earlier stage will write; the classification network is built to
            know what it will write.

    Raises:
        ValueError: the network cannot be built, or weights do not fit.
    """
    with _outlines():
        backbone = attrgetter(part)(_outline(build))
        state = None
        if config.pretrained == "none" and Path(config.cam_weights_name) in coming:
            net = _outline(partial(classifier, config, num_classes, "Net", train_whole=True))
            value = torch.zeros((), device="cpu")
            state = {name: value.expand(tensor.shape) for name, tensor in net.state_dict().items()}
        if state or (config.pretrained != "imagenet" and Path(_backbone_file(config)).is_file()):
            load_backbone(backbone, config, name=name, state=state)


def _outline(build: Callable[[], Any]) -> Any:
    """Build a network without memory; for real where its class needs values to be built."""
    try:
        with torch.device("meta"):
            return build()
    except Exception:
        return build()


def _outlines() -> contextlib.AbstractContextManager[Any]:
    # torch warns that weights loaded into an outline are not kept.
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _backbone_file(config: Config) -> str:
    return config.cam_weights_name if config.pretrained == "none" else config.pretrained


def load_backbone(
    backbone: nn.Module,
    config: Config,
    *,
    name: str,
    state: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Load a backbone's weights: ImageNet's, or from scratch the classification network's.

    Args:
        backbone: the network to load into.
        config: the settings.
        name: of the backbone, as --backbone takes it.
        state: of the classification network; by default read from --cam_weights_name.

    Raises:
        FileNotFoundError: the classification network's weights are missing.
        ValueError: the weights do not fit.
    """
    if config.pretrained != "none":
        load_pretrained(backbone, config.pretrained, name=name)
        return
    path = config.cam_weights_name
    if state is None and not Path(path).is_file():
        raise FileNotFoundError(
            f"--cam_weights_name {path}: no such file, and --pretrained none takes the backbone "
            "from it; the stage train_cam makes it: --train_cam_pass True"
        )
    prefix = "resnet50."
    state = read_state_dict(path) if state is None else state
    state = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    try:
        load_weights(backbone, state, source=f"--cam_weights_name {path}")
    except OtherNetwork as error:
        raise OtherNetwork(
            f"{error}; with --pretrained none the backbone, here {name}, is filled from that of "
            f"--cam_network {config.cam_network}: pass --pretrained imagenet or a FILE of {name} "
            "weights for this stage, or a --cam_network with this backbone"
        ) from error
