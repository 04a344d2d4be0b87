"""How programs keep an image's class attention maps: names of files, and forms told by shapes."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.atomic import names_in
from misc.files.images import read_grey
from misc.files.safe_pickles import read_npy_object, read_pt_object

ENDINGS = (".npz", ".npy", ".pt")
# An image's map of one class, as a picture.
_PICTURE = re.compile(r"(.+)_(\d{1,3})\.png")
# A name before a number, for example COCO_train2014_: some programs keep it in their files' names.
_PREFIXED = re.compile(r"[A-Za-z]\w*_(\d+)")
KEYS = ("keys", "keys_gt")
# Names of the maps at the image's size, or of those that some programs keep in place of them.
HIGH_RES = ("IS_CAM1", "IS_CAM", "high_res", "hr_cam", "high_res_seed", "attn_highres", "valid_lam")
ACCEPTED = (
    f"accepted are keys with cam or one of {', '.join(HIGH_RES)}, of a map for each key, one more "
    "with the background first, or one for each class of the data set, a bare {class: map}, and a "
    "grey ID_CLASS.png for each class; see docs/YOUR_CAMS.md"
)


@dataclass(frozen=True, kw_only=True)
class CamMaps:
    """An image's maps as a file has them.

    Attributes:
        form: their names in the file and their form, for the log.
        keys: int64 (K,), 0-based.
        cam: float32 (K, ·, ·) on the stride-4 grid as the file means it; None where it has none.
        high_res: the same, at the image's size.
        size: the image's (H, W), where the file says it.
    """

    form: str
    keys: np.ndarray
    cam: torch.Tensor | None
    high_res: torch.Tensor | None
    size: tuple[int, int] | None = None


def cam_names(folder: str | os.PathLike[str], ids: Sequence[str]) -> list[str]:
    """Return the name of each image's CAMs in a folder: of the first file there, else of ours."""
    images, numbers = _listed(names_in(Path(folder)))
    return [
        next(iter(images.get(_name_of(image_id, images, numbers), [])), f"{image_id}.npz")
        for image_id in ids
    ]


def pictures(path: Path) -> dict[int, Path]:
    """Return by class, from 0, the pictures of the image that this one is of; none of a file."""
    match = _PICTURE.fullmatch(path.name)
    if match is None:
        return {}
    names, _ = _listed(names_in(path.parent))
    named = (_PICTURE.fullmatch(name) for name in names.get(match[1], [path.name]))
    return {int(found[2]): path.with_name(found[0]) for found in named if found}


def _name_of(image_id: str, images: dict[str, list[str]], numbers: dict[str, list[str]]) -> str:
    """Return what an image is called in the names of its files."""
    number = _PREFIXED.fullmatch(image_id)
    named = [name for name in (image_id, number[1] if number else "") if name in images]
    named = named[:1] or numbers.get(image_id, [])
    if len(named) > 1:
        files = " and ".join(images[name][0] for name in named)
        raise ValueError(f"{files} are of the number of {image_id!r}")
    return named[0] if named else image_id


@lru_cache(maxsize=8)
def _listed(names: frozenset[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the CAM files among names by image, and the images that have a prefix by number."""
    images: dict[str, list[str]] = {}
    numbers: dict[str, list[str]] = {}
    for ending in (*ENDINGS, ".png"):
        for name in sorted(name for name in names if name.endswith(ending)):
            picture = _PICTURE.fullmatch(name)
            image_id = picture[1] if picture else name.removesuffix(ending)
            if picture or ending != ".png":
                images.setdefault(image_id, []).append(name)
    for image_id in images:
        if match := _PREFIXED.fullmatch(image_id):
            numbers.setdefault(match[1], []).append(image_id)
    return images, numbers


def read_content(path: Path) -> Mapping[Any, Any]:
    """Read what a file of CAMs but an .npz holds, without executing anything.

    Of pictures it is all of an image. A broken file raises any exception.
    """
    if path.suffix == ".png":
        return {class_id: read_grey(part) for class_id, part in pictures(path).items()}
    content: Any = read_npy_object(path) if path.suffix == ".npy" else read_pt_object(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, not a dict")
    return content


def interpret(content: Mapping[Any, Any], *, num_classes: int | None) -> CamMaps:
    """Decide which map of another program's file is whose.

    Args:
        content: what the file holds.
        num_classes: the data set's number of classes, where it is known.

    Raises:
        ValueError: no form fits, or two, or an array is no array of numbers.
    """
    # An image without a class may have None for its maps.
    content = {name: value for name, value in content.items() if value is not None}
    keys, arrays = _keys_and_maps(content)
    fitting = _fitting_forms(keys, arrays, num_classes)
    if len(fitting) != 1:
        names = " or ".join(f"'{name}'" for name in fitting) or "no form is known"
        classes = f" for {num_classes} classes" if num_classes is not None else ""
        others = {n: v for n, v in content.items() if n not in KEYS}
        held = ", ".join(filter(None, [str(keys.tolist()[:9]), _shapes(others | arrays)]))
        raise ValueError(f"it holds keys {held}{classes}: {names}")
    ((name, (keys, chosen)),) = fitting.items()
    maps = {n: torch.from_numpy(_float32(array[chosen])) for n, array in arrays.items()}
    return CamMaps(
        form=f"{' + '.join(maps)}: {name}" if maps else name,
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
    given = [name for name in KEYS if name in content]
    if given:
        keys = _array(given[0], content[given[0]])
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
    return keys.astype(np.int64), maps


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
        value = np.stack([_array(name, item) for item in value]) if value else np.zeros(0)
    elif isinstance(value, torch.Tensor):
        # NumPy has no bfloat16.
        value = (value.float() if value.is_floating_point() else value).detach().numpy()
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
