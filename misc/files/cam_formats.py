"""The forms in which other programs keep an image's class attention maps, told by their shapes."""

from collections.abc import Mapping
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
    keys, arrays = _keys_and_maps(content)
    fitting = _fitting_forms(keys, arrays, num_classes)
    if len(fitting) != 1:
        names = " or ".join(f"'{name}'" for name in fitting) or "no form is known"
        classes = f" for {num_classes} classes" if num_classes is not None else ""
        others = {n: v for n, v in content.items() if "keys" in content and n != "keys"}
        held = ", ".join(filter(None, [str(keys.tolist()[:9]), _shapes(arrays | others)]))
        raise ValueError(f"it holds keys {held}{classes}: {names}")
    ((name, (keys, chosen)),) = fitting.items()
    maps = {n: torch.from_numpy(_float32(array[chosen])) for n, array in arrays.items()}
    return ExternalCams(
        form=": ".join([*[" + ".join(maps)] * bool(maps), name]),
        keys=keys,
        cam=maps.get("cam"),
        high_res=next((maps[n] for n in maps if n != "cam"), None),
    )


def _fitting_forms(
    keys: np.ndarray, maps: Mapping[str, np.ndarray], num_classes: int | None
) -> dict[str, tuple[np.ndarray, Any]]:
    """Return by the forms that a file may have its classes, int64 (K,), and which maps are theirs.

    Args:
        keys: int64 (n,).
        maps: (m, ·, ·) each.
        num_classes: C, the data set's; None where it is not known.
    """
    if not len(keys):
        return {"no class": (keys, slice(0))}
    counts = {len(array) for array in maps.values()} or {0}
    if len(counts) > 1:
        return {}
    n, m, background = len(keys), counts.pop(), keys[0] == 0
    is_cam = "IS_CAM" in maps or "IS_CAM1" in maps  # keys and maps begin with the background
    forms: dict[str, tuple[np.ndarray, Any]] = {}
    if n == m and not is_cam:
        forms["a map for each key"] = keys, slice(None)
    if n == m and is_cam and background:
        forms["a map for each key, the background first"] = keys[1:] - 1, slice(1, None)
    if n + 1 == m:
        forms["a map for the background, then one for each key"] = keys, slice(1, None)
    # Without any map a first key of 0 may also be a class whose map is lost.
    if n - 1 == m and background and (m or "hr_cam" in maps):
        forms["the background first in the keys, not in the maps"] = keys[1:] - 1, slice(None)
    is_all = m > n + 1 if num_classes is None else m == num_classes
    if is_all and m != n and 0 <= keys.min() <= keys.max() < m:
        forms["a map for each class of the data set"] = keys, keys
    return forms


def _keys_and_maps(content: Mapping[Any, Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if "keys" in content:
        keys = _array("keys", content["keys"])
        # An image without a class may have None for its maps.
        names = _map_names([name for name, value in content.items() if value is not None])
        maps = {name: _array(name, content[name]) for name in names}
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
    return keys.astype(np.int64), maps


def _map_names(names: list[Any]) -> list[str]:
    high = [name for name in HIGH_RES if name in names]
    if high[:2] == ["IS_CAM1", "IS_CAM"]:  # the program that writes both reads the first
        del high[1]
    if len(high) > 1:
        raise ValueError(f"it holds {' and '.join(high)}, of which one can be meant")
    return ["cam"] * ("cam" in names) + high


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


def _shapes(content: Mapping[Any, Any]) -> str:
    """Name what a file holds, at most nine of it, with the shapes of arrays."""
    named = sorted((str(name), getattr(value, "shape", "")) for name, value in content.items())
    return ", ".join(f"{name} {tuple(shape)}" if shape != "" else name for name, shape in named[:9])
