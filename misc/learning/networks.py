"""Networks as named in the settings: their modules, weights and backbones."""

import importlib
import inspect
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from misc.learning.pretrained import load_pretrained
from misc.learning.weights import OtherNetwork, load_weights, read_state_dict
from misc.machine.device import Compute
from misc.running.plan import Files, Need, made_by
from misc.settings.config import Config

# Of a ResNet-50, with the checkpoint beside it during training.
WEIGHTS_BYTES = 400_000_000


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a class of a plugged-in module must have; what its methods do: docs/ARCHITECTURE.md.

    Attributes:
        options: keyword arguments that it takes.
        methods: its methods.
        parts: what an instance has besides, dotted where it is a part's part.
    """

    options: tuple[str, ...]
    methods: tuple[str, ...]
    parts: tuple[str, ...] = ()


# The classes of a module that a flag names.
CONTRACT = {
    "cam_network": {
        "Net": Form(
            options=("train_whole", "backbone"),
            methods=("trainable_parameters",),
            parts=("resnet50",),
        ),
        "CAM": Form(options=("backbone",), methods=("load_published",)),
    },
    "irn_network": {
        "AffinityDisplacementLoss": Form(
            options=("backbone",),
            methods=("trainable_parameters", "load_published", "features", "displacement"),
            parts=("resnet50", "mean_shift.running_mean"),
        ),
        "EdgeDisplacement": Form(options=("crop_size", "backbone"), methods=("load_published",)),
    },
}


def make_network(flag: str, name: str, form: str, *arguments: Any, **options: Any) -> Any:
    """Build a class of the module that a flag names, with random weights.

    Args:
        flag: `cam_network` or `irn_network`.
        name: the flag's value, a module.
        form: the class, one of the flag's in `CONTRACT`.
        arguments: those of the class.
        options: its keyword arguments.

    Raises:
        ValueError: there is no such module, or it lacks what `CONTRACT` asks for; all of it is
            named.
    """
    source = f"--{flag} {name}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"{source}: cannot be imported ({error})") from error
    lacking = [it for cls, has in CONTRACT[flag].items() for it in _lacking(module, cls, has)]
    if not lacking:
        network = getattr(module, form)(*arguments, **options)
        parts = CONTRACT[flag][form].parts
        lacking = [f"{form}().{part}" for part in parts if not _has(network, part)]
    if lacking:
        raise ValueError(
            f"{source}: the module lacks {', '.join(lacking)}; docs/ARCHITECTURE.md says what a "
            "network has"
        )
    return network


def _lacking(module: ModuleType, name: str, form: Form) -> list[str]:
    if (cls := getattr(module, name, None)) is None:
        return [name]
    taken = inspect.signature(cls).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    options = [o for o in form.options if not (o in taken or takes_all)]
    methods = [method for method in form.methods if not hasattr(cls, method)]
    return [f"{name}({option}=)" for option in options] + [f"{name}.{m}" for m in methods]


def _has(network: Any, part: str) -> bool:
    try:
        attrgetter(part)(network)
    except AttributeError:
        return False
    return True


def load_network(model: Any, path: str, *, flag: str, stage: str, compute: Compute) -> Any:
    """Load a weights file into a network and move it to the device, in eval mode.

    Raises:
        FileNotFoundError: no such file; names the stage that makes it.
        ValueError: the weights are of another network.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--{flag} {path}: no such file; the stage {stage} makes it: --{stage}_pass True"
        )
    model.load_published(read_state_dict(path), source=f"--{flag} {path}")
    return compute.place(model).eval()


def pretrained_need(pretrained: str) -> list[Need]:
    """Return the need for the file of pretrained weights, if --pretrained names one."""
    if pretrained in ("imagenet", "none"):
        return []
    remedy = "accepted are imagenet, none, or a file of the backbone's weights"
    files = Files.of(pretrained)
    return [Need(flag="pretrained", files=files, read=read_state_dict, remedy=remedy)]


def backbone_need(config: Config) -> list[Need]:
    """Return the need for a backbone's weights: see `load_backbone`."""
    if config.pretrained != "none":
        return pretrained_need(config.pretrained)
    weights = Files.of(config.cam_weights_name)
    return [made_by("cam_weights_name", "train_cam", weights, read_state_dict)]


def deeplab_backbone(config: Config) -> str:
    """Return the name of DeepLab's backbone."""
    return config.deeplab_backbone or config.backbone


def load_backbone(backbone: nn.Module, config: Config, *, name: str) -> None:
    """Load a backbone's weights: ImageNet's, or from scratch the classification network's.

    Args:
        backbone: the network to load into.
        config: the settings.
        name: of the backbone, as --backbone takes it.

    Raises:
        FileNotFoundError: the classification network's weights are missing.
        ValueError: the weights do not fit.
    """
    if config.pretrained != "none":
        load_pretrained(backbone, config.pretrained, name=name)
        return
    path = config.cam_weights_name
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--cam_weights_name {path}: no such file, and --pretrained none takes the backbone "
            "from it; the stage train_cam makes it: --train_cam_pass True"
        )
    prefix = "resnet50."
    state = read_state_dict(path)
    state = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    try:
        load_weights(backbone, state, source=f"--cam_weights_name {path}")
    except OtherNetwork as error:
        raise OtherNetwork(
            f"{error}; with --pretrained none the backbone, here {name}, is filled from that of "
            f"--cam_network {config.cam_network}: pass --pretrained imagenet or a FILE of {name} "
            "weights for this stage, or a --cam_network with this backbone"
        ) from error
