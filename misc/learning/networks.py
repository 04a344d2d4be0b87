"""Networks as named in the settings: their modules, weights and backbones."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from misc.learning.pretrained import load_pretrained
from misc.learning.weights import load_weights, read_state_dict
from misc.machine.device import Compute
from misc.running.plan import Need, made_by
from misc.settings.config import Config

# Of a ResNet-50, with the checkpoint beside it during training.
WEIGHTS_BYTES = 400_000_000


def network_module(name: str, flag: str, *wanted: str) -> ModuleType:
    """Import a network module by name and check that it has what a stage needs.

    Raises:
        ValueError: there is no such module, or one of the names is missing.
    """
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"--{flag} {name}: cannot be imported ({error})") from error
    missing = [attribute for attribute in wanted if not hasattr(module, attribute)]
    if missing:
        raise ValueError(f"--{flag} {name}: the module lacks {', '.join(missing)}")
    return module


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
    remedy = "accepted are imagenet, none, or a ResNet-50 file"
    return [Need(flag="pretrained", paths=[Path(pretrained)], read=read_state_dict, remedy=remedy)]


def backbone_need(config: Config) -> list[Need]:
    """Return the need for a backbone's weights: see `load_backbone`."""
    if config.pretrained != "none":
        return pretrained_need(config.pretrained)
    weights = [Path(config.cam_weights_name)]
    return [made_by("cam_weights_name", "train_cam", weights, read_state_dict)]


def load_backbone(backbone: nn.Module, config: Config) -> None:
    """Load a backbone's weights: ImageNet's, or from scratch the classification network's.

    Raises:
        FileNotFoundError: the classification network's weights are missing.
        ValueError: the weights do not fit.
    """
    if config.pretrained != "none":
        load_pretrained(backbone, config.pretrained)
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
    load_weights(backbone, state, source=f"--cam_weights_name {path}")
