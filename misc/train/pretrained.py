"""ImageNet weights, with which a backbone is initialised."""

from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from torch import nn

from misc.train.weights import load_weights, read_state_dict


def load_pretrained(backbone: nn.Module, source: str, *, name: str = "resnet50") -> None:
    """Load ImageNet weights into a backbone.

    Args:
        backbone: the network to load into.
        source: `imagenet` (torchvision's IMAGENET1K_V1, downloaded once by torchvision) or a file
            with its state_dict in torchvision's names.
        name: of the backbone, as --backbone takes it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the download fails, or the file's tensors do not fit.
    """
    if source == "imagenet":
        load_weights(backbone, _download(name), source="--pretrained imagenet", ignore=("fc.",))
        return
    if not Path(source).is_file():
        raise FileNotFoundError(
            f"--pretrained {source}: no such file; accepted: imagenet, none, or a {name} file"
        )
    state = read_state_dict(source)
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
