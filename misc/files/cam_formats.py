"""The forms in which other programs keep an image's class attention maps, told by their shapes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# Names of the maps at the image's size.
HIGH_RES = ("IS_CAM1", "IS_CAM", "high_res", "hr_cam", "high_res_seed", "attn_highres")
ACCEPTED = (
    f"accepted are keys with cam or one of {', '.join(HIGH_RES)}, of a map for each key, one more "
    "with the background first, or one for each class of the data set, and a bare {class: map}; "
    "see docs/YOUR_CAMS.md"
)


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """The arrays of a file of CAMs, before it is decided which map is whose.

    Attributes:
        keys: int64 (n,).
        maps: by their names in the file, (m, ·, ·) each.
        num_classes: C, the data set's; None where it is not known.
    """

    keys: np.ndarray
    maps: Mapping[str, np.ndarray]
    num_classes: int | None

    @property
    def count(self) -> int | None:
        """Return m, the number of maps; None where the arrays do not agree."""
        counts = {len(array) for array in self.maps.values()}
        return counts.pop() if len(counts) == 1 else None if counts else 0

    @property
    def background_in_keys(self) -> bool:
        """Return whether the first key is 0."""
        return len(self.keys) > 0 and self.keys[0] == 0


# Which classes a file is of, int64 (K,) from 0, and which of its maps are theirs.
Chosen = tuple[np.ndarray, Any]
# A form returns None where a file does not have it.
CamFormat = Callable[[Arrays], Chosen | None]


def _no_class(found: Arrays) -> Chosen | None:
    return None if len(found.keys) else (found.keys, slice(0))


def _map_for_each_key(found: Arrays) -> Chosen | None:
    fits = len(found.keys) == found.count and found.count and not _is_cam(found)
    return (found.keys, slice(None)) if fits else None


def _background_in_both(found: Arrays) -> Chosen | None:
    fits = found.background_in_keys and len(found.keys) == found.count and _is_cam(found)
    return (found.keys[1:] - 1, slice(1, None)) if fits else None


def _background_in_maps(found: Arrays) -> Chosen | None:
    fits = len(found.keys) > 0 and found.count == len(found.keys) + 1
    return (found.keys, slice(1, None)) if fits else None


def _background_in_keys(found: Arrays) -> Chosen | None:
    # Without any map a first key of 0 may also be a class whose map is lost.
    is_sure = bool(found.count) or "hr_cam" in found.maps
    fits = found.background_in_keys and found.count == len(found.keys) - 1
    return (found.keys[1:] - 1, slice(None)) if fits and is_sure else None


def _map_for_each_class(found: Arrays) -> Chosen | None:
    n, m, classes = len(found.keys), found.count, found.num_classes
    if not n or m is None or m == n or found.keys.max() >= m or found.keys.min() < 0:
        return None
    fits = m == classes if classes is not None else m > n + 1
    return (found.keys, found.keys) if fits else None


def _is_cam(found: Arrays) -> bool:
    """Return whether the maps' name says that they and the keys begin with the background."""
    return "IS_CAM" in found.maps or "IS_CAM1" in found.maps


# By what the log calls them; a file has exactly one of them.
FORMATS: Mapping[str, CamFormat] = {
    "no class": _no_class,
    "a map for each key": _map_for_each_key,
    "a map for each key, the background first": _background_in_both,
    "a map for the background, then one for each key": _background_in_maps,
    "the background first in the keys, not in the maps": _background_in_keys,
    "a map for each class of the data set": _map_for_each_class,
}


@dataclass(frozen=True, kw_only=True)
class ExternalCams:
    """An image's maps from another program, of any size and range.

    Attributes:
        form: their names in the file and their form, for the log.
        keys: int64 (K,), 0-based.
        cam: float32 (K, ·, ·) of the name `cam`; None where the file has none.
        high_res: the same, at the image's size as the file means it.
    """

    form: str
    keys: np.ndarray
    cam: torch.Tensor | None
    high_res: torch.Tensor | None


def interpret(content: Mapping[Any, Any], *, num_classes: int | None) -> ExternalCams:
    """Decide which map of a file is whose.

    Args:
        content: what the file holds.
        num_classes: the data set's number of classes, where it is known.

    Raises:
        ValueError: no form fits, or two, or an array is no array of numbers.
    """
    found = _arrays(content, num_classes)
    fitting = {name: chosen for name, form in FORMATS.items() if (chosen := form(found))}
    if len(fitting) != 1:
        names = " or ".join(f"'{name}'" for name in fitting)
        raise ValueError(f"it holds {_described(found, content)}: {names or 'no form is known'}")
    ((name, (keys, chosen)),) = fitting.items()
    maps = {n: torch.from_numpy(_float32(array[chosen])) for n, array in found.maps.items()}
    high_res = [maps[n] for n in maps if n != "cam"]
    return ExternalCams(
        form=": ".join([*[" + ".join(maps)] * bool(maps), name]),
        keys=keys,
        cam=maps.get("cam"),
        high_res=high_res[0] if high_res else None,
    )


def _arrays(content: Mapping[Any, Any], num_classes: int | None) -> Arrays:
    if "keys" in content:
        keys = _array("keys", content["keys"])
        # An image without a class may have None for its maps.
        content = {name: value for name, value in content.items() if value is not None}
        maps = {name: _array(name, content[name]) for name in _map_names(content)}
    elif all(map(_is_class, content)):
        keys = np.array([int(key) for key in content], np.int64)
        maps = {"{class: map}": _array("maps", list(content.values()))} if content else {}
    else:
        raise ValueError(f"it holds {_shapes(content)} and no keys")
    if keys.ndim != 1 or (keys.size and keys.dtype.kind not in "iu"):
        raise ValueError(f"its keys are {keys.dtype} {keys.shape}, not a row of whole numbers")
    # No map at all is written with any shape.
    maps = {name: np.zeros((0, 1, 1)) if not a.size else a for name, a in maps.items()}
    for name, array in maps.items():
        if array.ndim != 3:
            raise ValueError(f"its {name} is {array.dtype} {array.shape}, not maps (K, H, W)")
    return Arrays(keys=keys.astype(np.int64), maps=maps, num_classes=num_classes)


def _map_names(content: Mapping[Any, Any]) -> list[str]:
    high = [name for name in HIGH_RES if name in content]
    if high[:2] == ["IS_CAM1", "IS_CAM"]:  # the program that writes both reads the first
        del high[1]
    if len(high) > 1:
        raise ValueError(f"it holds {' and '.join(high)}, of which one can be meant")
    return ["cam"] * ("cam" in content) + high


def _is_class(key: Any) -> bool:
    if isinstance(key, str):  # an .npz has names
        return key.isascii() and key.isdecimal() and len(key) <= 3
    return isinstance(key, int | np.integer) and not isinstance(key, bool)


def _array(name: str, value: Any) -> np.ndarray:
    """Return an array, a tensor, or a list of numbers or of either, as an array of numbers."""
    if isinstance(value, list | tuple):
        if any(isinstance(item, list | tuple | Mapping) for item in value):
            raise ValueError(f"its {name} is a list of lists")
        value = np.stack([_array(name, v) for v in value]) if value else np.zeros(0)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    elif not isinstance(value, np.ndarray | np.generic | int | float):
        raise ValueError(f"its {name} holds a {type(value).__name__}")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"its {name} is {array.dtype} {array.shape}, not numbers")
    return array


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused
        return np.array(array, np.float32, order="C")


def _described(found: Arrays, content: Mapping[Any, Any]) -> str:
    others = {n: v for n, v in content.items() if "keys" in content and n != "keys"}
    classes = f" for {found.num_classes} classes" if found.num_classes is not None else ""
    arrays = _shapes(dict(found.maps) | others)
    return f"keys {found.keys.tolist()[:9]}{', ' * bool(arrays)}{arrays}{classes}"


def _shapes(content: Mapping[Any, Any]) -> str:
    """Name what a file holds, at most nine of it, with the shapes of arrays."""
    named = sorted((str(name), getattr(value, "shape", "")) for name, value in content.items())
    return ", ".join(f"{name} {tuple(shape)}" if shape != "" else name for name, shape in named[:9])
