"""Networks as the settings name them: built, filled with weights, checked, loaded to be used."""

import contextlib
import importlib
import warnings
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FrozenBatchNorm2d

from misc.files.dataset import Dataset
from misc.files.weights import OtherNetwork, State, check_fit, load_weights, read_state_dict
from misc.indexing import PathIndex
from misc.machine.device import Compute
from misc.settings.config import Config

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
    """Build a class, one of `USED`, of the module that a flag names, with random weights."""
    try:
        network = getattr(importlib.import_module(name), form)(*arguments, **options)
        for part in USED[form]:
            attrgetter(part)(network)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"--{flag} {name}: {error}; docs/ARCHITECTURE.md says what a network has"
        ) from error
    return network


def classifier(config: Config, num_classes: int, form: str = "Net") -> Any:
    """Build the classification network, as `Net` or `CAM`, with random weights."""
    options: dict[str, Any] = {"backbone": config.backbone}
    if form == "Net":
        options["train_whole"] = config.pretrained == "none"
    return make_network("cam_network", config.cam_network, form, num_classes, **options)


def relation_network(config: Config) -> Any:
    """Build IRNet in its training form, with random weights."""
    grid = config.irn_crop_size // 4
    paths = PathIndex(config.irn_radius, (grid, grid))
    form, backbone = "AffinityDisplacementLoss", config.backbone
    return make_network("irn_network", config.irn_network, form, paths, backbone=backbone)


def irnet(config: Config) -> Any:
    """Build IRNet in its inference form, with random weights."""
    options = {"crop_size": config.irn_pad, "backbone": config.backbone}
    return make_network("irn_network", config.irn_network, "EdgeDisplacement", **options)


def fill_backbone(model: Any, part: str, config: Config, *, name: str | None = None) -> None:
    """Fill a network's backbone, its attribute `part`, with --pretrained.

    With --pretrained none it is the backbone of --cam_weights_name. A plugged-in network that has
    `load_pretrained(source)` fills itself. The backbone's name is --backbone by default.
    """
    backbone, name = model.get_submodule(part), name or config.backbone
    if config.pretrained == "none":
        path = config.cam_weights_name
        state = _fitting_backbone(backbone, read_state_dict(path), config, name=name)
        load_weights(backbone, state, source=f"--cam_weights_name {path}")
    elif _fills_itself(model):
        model.load_pretrained(config.pretrained)
    else:
        load_pretrained(backbone, config.pretrained, name=name)


def _fills_itself(model: Any) -> bool:
    return hasattr(model, "load_pretrained")


def load_pretrained(backbone: nn.Module, source: str, *, name: str = "resnet50") -> None:
    """Load torchvision's ImageNet weights into a backbone: downloaded (`imagenet`), or a file's."""
    state = _download(name) if source == "imagenet" else read_state_dict(source)
    load_weights(backbone, state, source=f"--pretrained {source}", ignore=("fc.",))


def _download(name: str) -> dict[str, torch.Tensor]:
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        raise ValueError(
            f"--pretrained imagenet: the weights could not be downloaded ({error}). Fetch "
            f"{weights.url} by other means and pass --pretrained FILE, or train from scratch with "
            "--pretrained none"
        ) from error


def _fitting_backbone(backbone: nn.Module, state: State, config: Config, *, name: str) -> State:
    """Return those of the classification network's weights that are its backbone's, if they fit."""
    prefix = "resnet50."
    state = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    try:
        check_fit(backbone, state, source=f"--cam_weights_name {config.cam_weights_name}")
    except OtherNetwork as error:
        raise OtherNetwork(
            f"{error}; with --pretrained none the backbone, here {name}, is filled from that of "
            f"--cam_network {config.cam_network}: pass --pretrained imagenet or a FILE of {name} "
            "weights for this stage, or a --cam_network with this backbone"
        ) from error
    return state


def load_trained(model: Any, path: str | Path, *, flag: str, stage: str) -> Any:
    """Load a weights file, which a flag names and a stage makes, into a network."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--{flag} {path}: no such file; the stage {stage} makes it: --{stage}_pass True"
        )
    model.load_published(read_state_dict(path), source=f"--{flag} {path}")
    return model


def load_network(model: Any, path: str | Path, *, flag: str, stage: str, compute: Compute) -> Any:
    """Load a weights file into a network, for inference on the device alone; see `load_trained`."""
    return for_inference(load_trained(model, path, flag=flag, stage=stage), compute)


def load_irnet(config: Config, compute: Compute) -> Any:
    """Load IRNet in its inference form, from --irn_weights_name."""
    path, flag = config.irn_weights_name, "irn_weights_name"
    return load_network(irnet(config), path, flag=flag, stage="train_irn", compute=compute)


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


def check_weights(
    build: Callable[[], Any], flag: str, paths: Sequence[str | Path], coming: Collection[Path]
) -> None:
    """Build a network, and compare with it the weights files that are there.

    Those that are coming, since an earlier stage will write them, are not compared.
    """
    with _outlines():
        model = _outline(build)
        for path in map(Path, paths):
            if path.is_file() and path not in coming:
                load_trained(model, path, flag=flag, stage="")


def check_backbone(
    build: Callable[[], Any],
    part: str,
    config: Config,
    dataset: Dataset,
    coming: Collection[Path],
    *,
    name: str | None = None,
) -> None:
    """Build a network, and compare with it what `fill_backbone` will load into it.

    Where an earlier stage will train the classification network, that is built, too.
    """
    with _outlines():
        model = _outline(build)
        from_scratch = config.pretrained == "none"
        path = Path(config.cam_weights_name if from_scratch else config.pretrained)
        if from_scratch and path in coming:
            net = _outline(partial(classifier, config, len(dataset.class_names)))
            backbone, name = model.get_submodule(part), name or config.backbone
            _fitting_backbone(backbone, net.state_dict(), config, name=name)
        elif path.is_file() and config.pretrained != "imagenet" and not _fills_itself(model):
            fill_backbone(model, part, config, name=name)


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
