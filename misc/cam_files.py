"""Class attention maps on disk: small files of ours, and the published `.npy` dicts, read alike.

Our files hold the stride-16 maps from which both `cam` and `high_res` are made, as 16-bit fixed
point: some 20 KB an image where the published program's float32 `high_res` takes 1.2 MB.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from misc.files import atomic_path
from misc.limits import LARGEST_RATIO, check_archive, check_shape
from misc.safe_npy import load_published_dict

_STEPS = 65535


@dataclass(frozen=True, kw_only=True)
class CAMs:
    """The class attention maps of one image, each class divided by its own maximum.

    Attributes:
        keys: int64 (K,), the 0-based classes of the image.
        cam: float32 (K, h, w) in [0, 1], on the stride-4 grid.
        high_res: float32 (K, H, W) in [0, 1], on the image's pixels.
    """

    keys: np.ndarray
    cam: np.ndarray
    high_res: np.ndarray


def combine_scales(
    maps: Sequence[torch.Tensor], size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum the maps of several scales to `cam` and `high_res` (METHOD section 2).

    Args:
        maps: for each scale the raw maps of the image's K classes, (K, ⌈sH/16⌉, ⌈sW/16⌉).
        size: the image's (H, W).

    Returns:
        cam (K, h, w) and high_res (K, H, W), each class divided by its own maximum + 1e-5.
    """
    return strided_cam(maps, size), high_res_cam(maps, size)


def strided_cam(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Make `cam`: the sum on the stride-4 grid, (K, h, w)."""
    height, width = ((side - 1) // 4 + 1 for side in size)
    return _normalized(_sum_resized(maps, (height, width)))


def high_res_cam(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Make `high_res`: the sum at 16·⌈H/16⌉ × 16·⌈W/16⌉, cut to (K, H, W) from the top left."""
    height, width = (-(-side // 16) * 16 for side in size)
    return _normalized(_sum_resized(maps, (height, width))[:, : size[0], : size[1]])


def write_cams(
    path: str | os.PathLike[str],
    *,
    keys: np.ndarray,
    maps: Sequence[np.ndarray],
    size: tuple[int, int],
) -> None:
    """Write the raw maps of an image's classes, float32; see `combine_scales` for the arguments.

    Each map is rounded to 65535 steps of its own maximum, so that what is read back differs by
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
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def cam_path(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Give the path of an image's CAMs as we write them."""
    return Path(folder) / f"{image_id}.npz"


def find_cams(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Find an image's CAMs, ours (.npz) or published ones (.npy).

    Raises:
        FileNotFoundError: there are none; says which stage makes them.
    """
    ours = cam_path(folder, image_id)
    for path in (ours, ours.with_name(f"{image_id}.npy")):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{ours}: no CAMs for this image (nor a .npy); the stage make_cam makes them: "
        "--make_cam_pass True, or name a folder that has them with --cam_out_dir"
    )


def read_cams(path: str | os.PathLike[str], *, size: tuple[int, int] | None = None) -> CAMs:
    """Read the CAMs of an image, from our `.npz` or from a published `.npy` dict.

    Args:
        path: the file.
        size: the image's (H, W), if the maps are to be checked against it.

    Raises:
        ValueError: the file is broken, holds something else, or is of an image of another size;
            nothing in it is ever executed.
    """
    keys, maps, own_size = _read(Path(path))
    if size is not None and own_size not in (None, size):
        raise ValueError(f"{path}: holds CAMs of an image of {own_size}, not of an image of {size}")
    if own_size is None:
        cam, high_res = maps
    else:
        cam, high_res = combine_scales(maps, own_size)
    if size is not None:
        grid = tuple((side - 1) // 4 + 1 for side in size)
        if tuple(high_res.shape[1:]) != size or tuple(cam.shape[1:]) != grid:
            raise ValueError(
                f"{path}: holds cam {tuple(cam.shape)} and high_res {tuple(high_res.shape)}; an "
                f"image of {size} takes cam (K, {grid[0]}, {grid[1]}) and high_res (K, H, W)"
            )
    if not (cam.isfinite().all() and high_res.isfinite().all()):
        raise ValueError(f"{path}: holds values that are not finite numbers")
    return CAMs(keys=keys, cam=cam.numpy(), high_res=high_res.numpy())


def _read(path: Path) -> tuple[np.ndarray, list[torch.Tensor], tuple[int, int] | None]:
    """Give keys, and either the raw maps with the image's size, or cam and high_res."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix == ".npy":
        published = load_published_dict(path)
        _check_keys(path, published["keys"])
        maps = [torch.from_numpy(published[n]) for n in ("cam", "high_res")]
        return published["keys"], maps, None
    try:
        check_archive(path, path.stat().st_size, ratio=LARGEST_RATIO)
        with np.load(path, allow_pickle=False) as file:
            height, width = (int(side) for side in file["size"])
            count = sum(name.startswith("map") for name in file.files)
            maps = [_dequantized(file[f"map{n}"], file[f"peak{n}"]) for n in range(count)]
            keys = file["keys"].astype(np.int64, casting="same_kind")
        check_shape((len(keys), height, width))
        if min(height, width) < 1 or any(len(scale) != len(keys) for scale in maps):
            raise ValueError("its arrays do not fit each other")
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything on a broken file
        raise ValueError(f"{path}: not a CAM file of this program ({error})") from error
    _check_keys(path, keys)
    return keys, maps, (height, width)


def _check_keys(path: Path, keys: np.ndarray) -> None:
    # A label map is 8-bit: class + 1, and 255 to ignore.
    if keys.ndim != 1 or len(np.unique(keys)) < len(keys) or ((keys < 0) | (keys > 253)).any():
        raise ValueError(f"{path}: its keys {keys} are not classes, each once, from 0 to 253")


def _dequantized(steps: np.ndarray, peaks: np.ndarray) -> torch.Tensor:
    if steps.dtype != np.uint16 or steps.ndim != 3 or peaks.shape != steps.shape[:1]:
        raise ValueError(f"a map of {steps.dtype} {steps.shape} with peaks {peaks.shape}")
    if 0 in steps.shape[1:]:
        raise ValueError(f"an empty map {steps.shape}")
    return torch.from_numpy(steps * (peaks.astype(np.float32) / np.float32(_STEPS))[:, None, None])


def _sum_resized(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    resized = [
        F.interpolate(x[None], size, mode="bilinear", align_corners=False)[0]
        for x in maps
        if x.shape[0] > 0
    ]
    if not resized:
        return torch.zeros(0, *size)
    return torch.stack(resized).sum(dim=0)


def _normalized(x: torch.Tensor) -> torch.Tensor:
    if x.shape[0] == 0:
        return x
    return x / (x.amax(dim=(1, 2), keepdim=True) + 1e-5)
