"""Networks as the settings name them: built, filled with weights, checked, and used."""

import contextlib
import importlib
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
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

from misc.files.weights import OtherNetwork, State, check_fit, load_weights, read_state_dict
from misc.machine.device import Compute

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


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """The weights that the backbone of a network, its `resnet50`, begins with.

    Attributes:
        source: `imagenet`, a file of the backbone's weights, or `none`: those of the
            classification network's backbone.
        backbone: the backbone's name.
        cam_network: module of the classification network.
        cam_weights: its weights file.
        build_classifier: builds it.
    """

    source: str
    backbone: str
    cam_network: str
    cam_weights: str
    build_classifier: Callable[[], Any]

    def fill(self, model: Any) -> None:
        """Fill the backbone; a network that has `load_pretrained(source)` fills itself."""
        if self.source == "none":
            state = self._classifiers_backbone(model, read_state_dict(self.cam_weights))
            load_weights(model.resnet50, state, source=f"--cam_weights_name {self.cam_weights}")
        elif hasattr(model, "load_pretrained"):
            model.load_pretrained(self.source)
        else:
            load_pretrained(model.resnet50, self.source, name=self.backbone)

    def check(self, build: Callable[[], Any], coming: Collection[Path]) -> None:
        """Build a network, and compare with it the weights that `fill` will load.

        Of weights that are coming, since an earlier stage will write them, the network is known.
        """
        of_classifier = self.source == "none"
        path = Path(self.cam_weights if of_classifier else self.source)
        with outline(build) as model:
            fills_itself = hasattr(model, "load_pretrained") and not of_classifier
            if of_classifier and path in coming:
                with outline(self.build_classifier) as classifier:
                    self._classifiers_backbone(model, classifier.state_dict())
            elif path.is_file() and self.source != "imagenet" and not fills_itself:
                self.fill(model)

    def _classifiers_backbone(self, model: Any, state: State) -> State:
        """Return those of the classification network's weights that are its backbone's."""
        prefix = "resnet50."
        found = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
        try:
            check_fit(model.resnet50, found, source=f"--cam_weights_name {self.cam_weights}")
        except OtherNetwork as error:
            raise OtherNetwork(
                f"{error}; with --pretrained none the backbone, here {self.backbone}, is filled "
                f"from that of --cam_network {self.cam_network}: pass --pretrained imagenet or a "
                f"FILE of {self.backbone} weights for this stage, or a --cam_network with this "
                "backbone"
            ) from error
        return found


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


def load_trained(model: Any, network: str, path: str | Path) -> Any:
    """Load into a model the weights file of a network: `cam`, `irn`, `mask_rcnn` or `deeplab`."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--{network}_weights_name {path}: no such file; the stage train_{network} makes it: "
            f"--train_{network}_pass True"
        )
    model.load_published(read_state_dict(path), source=f"--{network}_weights_name {path}")
    return model


def load_network(model: Any, network: str, path: str | Path, compute: Compute) -> Any:
    """Load a weights file as `load_trained`, for inference on the device."""
    return for_inference(load_trained(model, network, path), compute)


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
    build: Callable[[], Any], network: str, paths: Sequence[str | Path], coming: Collection[Path]
) -> None:
    """Build a network, and compare with it the weights files that are there.

    Those that are coming, since an earlier stage will write them, are not compared.
    """
    with outline(build) as model:
        for path in map(Path, paths):
            if path.is_file() and path not in coming:
                load_trained(model, network, path)


@contextlib.contextmanager
def outline(build: Callable[[], Any]) -> Iterator[Any]:
    """Build a network without memory; for real where its class needs values to be built."""
    # torch warns that weights loaded into an outline are not kept.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        try:
            with torch.device("meta"):
                model = build()
        except Exception:
            model = build()
        yield model
