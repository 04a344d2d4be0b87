"""The forms in which other programs keep an image's class attention maps, told by their shapes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from misc.files.limits import check_shape

# Names of the maps at the image's size. A file with both of the first two is read by the programs
# that write it as the first.
_HIGH = ("IS_CAM1", "IS_CAM", "high_res", "hr_cam", "high_res_seed")
ACCEPTED = (
    "accepted are keys with cam or high_res (hr_cam, IS_CAM, high_res_seed) of a map for each key, "
    "one more with the background first, or one for each class of the data set, and a bare "
    "{class: map}; see docs/YOUR_CAMS.md"
)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a file holds, before it is decided which map is whose.

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

    def background_in_keys(self) -> bool:
        """Return whether the first key is 0."""
        return len(self.keys) > 0 and self.keys[0] == 0


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A form: how it is recognised, and how it is read.

    Attributes:
        name: what the log calls it.
        fits: whether a content has this form.
        shift: the background is the first of the keys, and classes count from 1.
        background: the background's is the first of the maps.
        by_class: the maps are of all classes, in their order.
    """

    name: str
    fits: Callable[[Content], bool]
    shift: bool = False
    background: bool = False
    by_class: bool = False


def _names_background(content: Content) -> bool:
    """Return whether the maps' name says that they and the keys begin with the background."""
    return "IS_CAM" in content.maps or "IS_CAM1" in content.maps


def _is_of_all(content: Content) -> bool:
    n, m, classes = len(content.keys), content.count, content.num_classes
    if not n or m is None or m == n or content.keys.max() >= m or content.keys.min() < 0:
        return False
    return m == classes if classes is not None else m > n + 1


DIALECTS = (
    Dialect(name="no class", fits=lambda c: not len(c.keys), by_class=True),
    Dialect(
        name="a map for each key",
        fits=lambda c: len(c.keys) == c.count and bool(c.count) and not _names_background(c),
    ),
    Dialect(
        name="a map for each key, the background first",
        fits=lambda c: len(c.keys) == c.count and c.background_in_keys() and _names_background(c),
        shift=True,
        background=True,
    ),
    Dialect(
        name="a map for the background, then one for each key",
        fits=lambda c: len(c.keys) > 0 and c.count == len(c.keys) + 1,
        background=True,
    ),
    # Without any map a first key of 0 may also be a class whose map is lost.
    Dialect(
        name="the background first in the keys, not in the maps",
        fits=lambda c: (
            c.background_in_keys()
            and c.count == len(c.keys) - 1
            and (c.count > 0 or "hr_cam" in c.maps)
        ),
        shift=True,
    ),
    Dialect(name="a map for each class of the data set", fits=_is_of_all, by_class=True),
)


@dataclass(frozen=True, kw_only=True)
class ForeignMaps:
    """An image's maps as another program left them, of any size and range.

    Attributes:
        form: their names in the file and their dialect, for the log.
        keys: int64 (K,), 0-based.
        background: whether the background's map stands before those of the classes.
        cam: float32 (K or K + 1, ·, ·) of the name `cam`; None where the file has none.
        high_res: the same, at the image's size as the file means it.
    """

    form: str
    keys: np.ndarray
    background: bool
    cam: torch.Tensor | None
    high_res: torch.Tensor | None


def interpret(
    content: Mapping[Any, Any], *, num_classes: int | None, background: bool
) -> ForeignMaps:
    """Decide which map of a file is whose.

    Args:
        content: what the file holds.
        num_classes: the data set's number of classes, where it is known.
        background: keep the background's map.

    Raises:
        ValueError: no dialect fits, or two, or an array is no array of numbers.
    """
    found = _content(content, num_classes)
    fitting = [dialect for dialect in DIALECTS if dialect.fits(found)]
    if len(fitting) != 1:
        names = " or ".join(f"'{fit.name}'" for fit in fitting)
        raise ValueError(f"it holds {_described(found)}: {names or 'no form that is known'}")
    (dialect,) = fitting
    if background and not dialect.background and len(found.keys) > dialect.shift:
        raise ValueError(f"--cam_background True: {_described(found)} has no background's map")
    keys = found.keys[1:] - 1 if dialect.shift else found.keys
    chosen = keys if dialect.by_class else slice(dialect.background and not background, None)
    high_res = [name for name in found.maps if name != "cam"]
    maps = {name: torch.from_numpy(_floats(found.maps[name][chosen])) for name in found.maps}
    return ForeignMaps(
        form=": ".join([*[" + ".join(maps)] * bool(maps), dialect.name]),
        keys=keys,
        background=background and dialect.background,
        cam=maps.get("cam"),
        high_res=maps[high_res[0]] if high_res else None,
    )


def _content(content: Mapping[Any, Any], num_classes: int | None) -> Content:
    if "keys" in content:
        keys = _array("keys", content["keys"])
        # What an image without a class has none of is written as None, too.
        content = {name: value for name, value in content.items() if value is not None}
        maps = {name: _array(name, content[name]) for name in _map_names(content)}
    else:
        if not all(_is_class(key) for key in content):
            raise ValueError(f"it holds {sorted(map(str, content))[:9]} and no keys")
        keys = np.array([int(key) for key in content], np.int64)
        maps = {"{class: map}": _array("maps", list(content.values()))} if content else {}
    if keys.ndim != 1 or (keys.size and keys.dtype.kind not in "iu"):
        raise ValueError(f"its keys are {keys.dtype} {keys.shape}, not a row of whole numbers")
    keys = keys.astype(np.int64)
    # No map at all is written with any shape.
    maps = {name: np.zeros((0, 1, 1)) if not a.size else a for name, a in maps.items()}
    for name, array in maps.items():
        if array.ndim != 3:
            raise ValueError(f"its {name} is {array.dtype} {array.shape}, not maps (K, H, W)")
    return Content(keys=keys, maps=maps, num_classes=num_classes)


def _map_names(content: Mapping[Any, Any]) -> list[str]:
    high = [name for name in _HIGH if name in content]
    if high[:2] == ["IS_CAM1", "IS_CAM"]:
        del high[1]
    if len(high) > 1:
        raise ValueError(f"it holds {' and '.join(high)}, of which one can be meant")
    return ["cam"] * ("cam" in content) + high


def _is_class(key: Any) -> bool:
    if isinstance(key, str):  # as the names in an .npz are
        return key.isascii() and key.isdecimal() and len(key) <= 3
    return isinstance(key, int | np.integer) and not isinstance(key, bool)


def _array(name: str, value: Any) -> np.ndarray:
    """Return an array, a tensor, or a list of numbers or of either, as an array of numbers."""
    if isinstance(value, list | tuple):
        # One array may stand in a list many times over.
        check_shape((len(value), max((_size(item) for item in value), default=0)))
        value = np.stack([_array(name, v) for v in value]) if value else np.zeros(0)
    check_shape(getattr(value, "shape", ()))
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    elif not isinstance(value, np.ndarray | np.generic | int | float):
        raise ValueError(f"its {name} holds a {type(value).__name__}")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"its {name} is {array.dtype} {array.shape}, not numbers")
    return array


def _size(value: Any) -> int:
    if isinstance(value, list | tuple | Mapping):
        raise ValueError("a list of lists")
    return math.prod(getattr(value, "shape", ()))


def _floats(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused
        return np.array(array, np.float32, order="C")


def _described(content: Content) -> str:
    arrays = [f"{name} {array.shape}" for name, array in sorted(content.maps.items())]
    keys = f"keys {content.keys.tolist()[:9]}"
    classes = f" for {content.num_classes} classes" if content.num_classes is not None else ""
    return ", ".join([keys, *arrays]) + classes
