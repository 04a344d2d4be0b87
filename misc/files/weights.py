"""Weights files: read without executing code, checked by name and shape before use."""

import os
import zipfile
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from misc.files.atomic import atomic_path
from misc.settings.config import BACKBONES

State = Mapping[str, torch.Tensor]


class OtherNetwork(ValueError):
    """Weights whose names or shapes are not those of the network to load them into."""


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read a state_dict onto the CPU; a pickle that would execute code is refused.

    A `state_dict` or `model` entry is unwrapped, and DataParallel's `module.` prefix removed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a state_dict.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    content = read_tensors(path)
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not (isinstance(content, Mapping) and content and all(map(_is_named, content.items()))):
        raise ValueError(f"{path}: expected a state_dict (names to tensors)")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def _is_named(item: tuple[Any, Any]) -> bool:
    name, tensor = item
    is_dense = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided
    return isinstance(name, str) and is_dense


def load_weights(
    model: nn.Module, state: State, *, source: str, ignore: Collection[str] = ()
) -> None:
    """Copy weights into a network after checking that they fit; see `check_fit`.

    Raises:
        OtherNetwork: they are of another network; the model is unchanged.
        ValueError: a value is not finite; the model is unchanged.
    """
    check_fit(model, state, source=source, ignore=ignore)
    names = set(model.state_dict())
    known = {name: tensor for name, tensor in state.items() if name in names}
    broken = [name for name, tensor in known.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"{source}: {broken[0]} holds values that are not finite numbers")
    model.load_state_dict(known, strict=False)


def check_fit(model: nn.Module, state: State, *, source: str, ignore: Collection[str] = ()) -> None:
    """Raise OtherNetwork where names are missing or unknown, or a shape differs.

    Args:
        model: the network.
        state: the weights to load into it.
        source: name of the weights in the error: a flag and its value.
        ignore: prefixes of names in `state` that the network need not have.
    """
    expected = model.state_dict()
    wrong = [
        f"{name} has the shape {tuple(state[name].shape)}, here it is {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    missing = [n for n in expected if n not in state and not _is_counter(n)]
    unknown = [
        n for n in state if not (n in expected or n.startswith(tuple(ignore)) or _is_counter(n))
    ]
    problems = wrong + _listed("missing", missing) + _listed("unknown", unknown)
    if problems:
        theirs, ours = backbone_of(state), backbone_of(expected)
        if None not in (theirs, ours) and theirs != ours:
            problems = [f"their backbone is {theirs}, here it is {ours}: pass the one they have"]
        raise OtherNetwork(f"{source}: these weights are of another network: {'; '.join(problems)}")


def _is_counter(name: str) -> bool:
    """Tell batch norm's step counter: old files and frozen batch norm lack it, nothing uses it."""
    return name.endswith("num_batches_tracked")


def _listed(word: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{word} {', '.join(names[:3])}{more}"]


def backbone_of(state: State) -> str | None:
    """Return which backbone's weights are in a state_dict, under any prefix; None for none."""
    first = "layer1.0.conv1.weight"
    prefix = next((name.removesuffix(first) for name in state if name.endswith(first)), "")
    found = _layers(state, prefix)
    return next((name for name in BACKBONES if found == _known_layers(name)), None)


@cache
def _known_layers(name: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return _layers(torchvision.models.get_model(name, weights=None).state_dict())


def _layers(state: State, prefix: str = "") -> dict[str, tuple[int, ...]]:
    return {
        name.removeprefix(prefix): tuple(tensor.shape)
        for name, tensor in state.items()
        if name.startswith(f"{prefix}layer") and not _is_counter(name)
    }


def save_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a network's state_dict, on the CPU and contiguous, atomically."""
    state = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    save_tensors(state, path)


def save_tensors(content: Any, path: str | os.PathLike[str]) -> None:
    """Write with torch.save, atomically; OSError where that fails."""
    with atomic_path(path) as temporary:
        try:
            # torch would write the path's name, here a random one, into the file.
            with temporary.open("wb") as file:
                torch.save(content, file)
        except RuntimeError as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            # This is how torch's writer reports a full disk, without the reason.
            raise OSError(f"writing failed, is the disk full? {_first_line(error)}") from error


def read_tensors(path: str | os.PathLike[str], *, device: torch.device | str = "cpu") -> Any:
    """Read what torch.save wrote; nothing in it is executed, ValueError if it is broken."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                # torch verifies no checksums, and trusts the lengths that it reads.
                if (broken := archive.testzip()) is not None:
                    raise ValueError(f"{broken} in it is broken")
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch's readers raise almost anything on a broken file
        raise ValueError(f"{path}: not a readable weights file ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
