"""Class attention maps on disk: our compact files, and those of other programs, read alike.

Our files hold the stride-16 maps from which both `cam` and `high_res` are computed, as 16-bit fixed
point: some 20 KB per image where the published program's float32 `high_res` takes 1.2 MB.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.cams import CAMs, combine_scales, high_res_of, strided_of, within_unit
from misc.files.atomic import atomic_path
from misc.files.cam_formats import ACCEPTED, CamMaps, cam_names, interpret, read_content
from misc.files.safe_pickles import write_npy_object

_STEPS = 65535
# How much other programs' maps may be stretched to cover the image: those that stand upright where
# it lies, or the reverse, only by the rounding of coarse grids; square ones by anything.
MOST_TURNED, MOST_STRETCHED = 1.2, 3.0


def write_cams(
    path: str | os.PathLike[str],
    *,
    keys: np.ndarray,
    maps: Sequence[np.ndarray],
    size: tuple[int, int],
) -> None:
    """Write the raw maps of an image's classes, float32; see `combine_scales` for the arguments.

    Each map is quantised to 65535 steps of its own maximum, so that what is read back differs by
    less than 1e-4 from what was written.
    """
    arrays: dict[str, np.ndarray] = {
        "keys": np.asarray(keys, np.int64),
        "size": np.asarray(size, np.int32),
    }
    for number, scale_maps in enumerate(maps):
        values = np.asarray(scale_maps, np.float32)
        peaks = values.max(axis=(1, 2), initial=0.0).astype(np.float32)
        steps = values * (_STEPS / np.maximum(peaks, 1e-30))[:, None, None]
        arrays[f"peak{number}"] = peaks
        arrays[f"map{number}"] = np.rint(steps).astype(np.uint16)
    _save(path, arrays)


def write_final_cams(path: str | os.PathLike[str], cams: CAMs) -> None:
    """Write CAMs that are no sum of raw maps, as other programs do, in 16-bit floats."""
    maps = {"cam": cams.cam.astype(np.float16), "high_res": cams.high_res.astype(np.float16)}
    _save(path, {"keys": cams.keys, **maps})


def write_published_cams(path: Path, cams: CAMs) -> None:
    """Write CAMs as the published program does, a pickled dict.

    It has `keys` and `cam` as tensors, int64 (K,) and float32 (K, h, w), and `high_res` as an
    array, float32 (K, H, W).
    """
    keys, cam = torch.from_numpy(cams.keys), torch.from_numpy(cams.cam)
    write_npy_object(path, {"keys": keys, "cam": cam, "high_res": cams.high_res})


def _save(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def find_cams(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Find an image's CAMs: ours or another program's, of several pictures the first.

    Where one of id and name is a number and the other that number behind a prefix, for example
    `COCO_train2014_000000000009`, they belong together.

    Raises:
        FileNotFoundError: there are none; names the stage that makes them.
        ValueError: files of several names have this number.
    """
    path = Path(folder, f"{image_id}.npz")
    if not path.is_file():  # seen by itself, as a listing may be some milliseconds old
        path = Path(folder, *cam_names(folder, [image_id]))
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no CAMs for this image (nor a .npy, .pt or ID_CLASS.png); the stage make_cam "
            "makes them: --make_cam_pass True, or name a folder that has them with --cam_out_dir"
        )
    return path


@dataclass(frozen=True, kw_only=True)
class CamFolder:
    """A folder of CAMs, ours or another program's, of the data set's number of classes."""

    path: str | os.PathLike[str]
    num_classes: int

    def read(self, image_id: str, size: tuple[int, int]) -> CAMs:
        """Read the CAMs of an image of this (H, W)."""
        path = find_cams(self.path, image_id)
        return read_cams(path, size=size, num_classes=self.num_classes)

    def form(self, image_id: str) -> tuple[str, Path, np.ndarray]:
        """Return what form an image's file has, in words, the file, and the keys, int64 (K,)."""
        path = find_cams(self.path, image_id)
        maps = _read_maps(path, self.num_classes)
        return maps.form, path, maps.keys


def read_cams(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    num_classes: int | None = None,
) -> CAMs:
    """Read the CAMs of an image, from our `.npz` or from another program's file.

    Another program's maps are resized to the image and its stride-4 grid; those with values
    outside [0, 1] are divided by their maximum; of `cam` and `high_res` one is made from the other.

    Args:
        path: the file, or one of the image's pictures; nothing in it is executed.
        size: the image's (H, W); without it, that of the file's largest maps.
        num_classes: C, the data set's, where it is known.

    Raises:
        ValueError: the file is broken, is of an image of another size or shape, has no known form
            or fits two.
    """
    path = Path(path)
    maps = _read_maps(path, num_classes)
    given = [array for array in (maps.cam, maps.high_res) if array is not None]
    if not len(maps.keys):
        given = [torch.zeros(0, 1, 1)]
    if maps.size is not None and size not in (None, maps.size):
        raise ValueError(
            f"{path}: holds CAMs of an image of {maps.size}, not of an image of {size}"
        )
    if size is None:
        height, width = given[-1].shape[1:]
        scale = 4 if maps.high_res is None else 1
        size = maps.size or (scale * height, scale * width)
    for array in given:
        if maps.size is None:
            _check_shape(path, (array.shape[1], array.shape[2]), size)
        if not array.isfinite().all():
            raise ValueError(f"{path}: holds values that are not finite numbers")
    given = [within_unit(array) for array in given]
    cam, high_res = strided_of(given[0], size).numpy(), high_res_of(given[-1], size).numpy()
    return CAMs(keys=maps.keys, cam=cam, high_res=high_res)


def _read_maps(path: Path, num_classes: int | None) -> CamMaps:
    try:
        is_npz = path.suffix == ".npz"
        content = _read_npz(path) if is_npz else read_content(path)
        is_ours = is_npz and "size" in content
        maps = _own_maps(content) if is_ours else interpret(content, num_classes=num_classes)
    except Exception as error:  # a broken file can raise anything
        # An error of a pickle may have several lines.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(f"{path}: cannot be read as CAMs ({reason}); {ACCEPTED}") from error
    keys = maps.keys
    # A label map is 8-bit: class + 1, and 255 to ignore.
    last = 253 if num_classes is None else num_classes - 1
    if keys.ndim != 1 or len(np.unique(keys)) < len(keys) or ((keys < 0) | (keys > last)).any():
        hint = "; do they count from 1, with 0 for the background?" * (last + 1 in keys)
        raise ValueError(
            f"{path}: its keys {keys.tolist()[:9]} are not classes, each once, from 0 to {last}"
            f"{hint}"
        )
    return maps


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _own_maps(content: Mapping[Any, Any]) -> CamMaps:
    height, width = (int(side) for side in content["size"])
    scales = range(sum(name.startswith("map") for name in content))
    maps = [_dequantized(content[f"map{n}"], content[f"peak{n}"]) for n in scales]
    keys = content["keys"].astype(np.int64, casting="same_kind")
    if min(height, width) < 1 or any(len(scale) != len(keys) for scale in maps):
        raise ValueError("its arrays do not fit each other")
    cam, high_res = combine_scales(maps, (height, width))
    form = "make_cam's own"
    return CamMaps(form=form, keys=keys, cam=cam, high_res=high_res, size=(height, width))


def _dequantized(steps: np.ndarray, peaks: np.ndarray) -> torch.Tensor:
    if steps.dtype != np.uint16 or steps.ndim != 3 or peaks.shape != steps.shape[:1]:
        raise ValueError(f"a map of {steps.dtype} {steps.shape} with peaks {peaks.shape}")
    if 0 in steps.shape[1:]:
        raise ValueError(f"an empty map {steps.shape}")
    return torch.from_numpy(steps * (peaks.astype(np.float32) / np.float32(_STEPS))[:, None, None])


def _check_shape(path: Path, shape: tuple[int, int], size: tuple[int, int]) -> None:
    """Raise ValueError where maps (h, w) would have to be stretched to cover an image (H, W)."""
    (h, w), (height, width) = shape, size
    stretch = max(w * height / (h * width), h * width / (w * height))
    is_turned = (h - w) * (height - width) < 0
    if is_turned and (stretch > MOST_TURNED or shape == size[::-1]):
        reason = (
            "their sides are swapped: write maps (K, H, W), of the photograph as its pixels are "
            "stored, not as its EXIF orientation turns it"
        )
    elif h != w and stretch > MOST_STRETCHED:
        reason = "their shape is another: write maps that cover the whole image"
    else:
        return
    raise ValueError(
        f"{path}: its maps are {h} × {w}, its image {height} × {width} pixels; {reason}"
    )
