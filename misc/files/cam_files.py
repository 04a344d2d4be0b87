"""Class attention maps on disk: our compact files, and the published `.npy` dicts, read alike.

Our files hold the stride-16 maps from which both `cam` and `high_res` are computed, as 16-bit fixed
point: some 20 KB per image where the published program's float32 `high_res` takes 1.2 MB.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from misc.cams import CAMs, combine_scales
from misc.files.atomic import atomic_path
from misc.files.limits import LARGEST_RATIO, check_archive, check_shape
from misc.files.safe_npy import load_published_dict

_STEPS = 65535


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
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def cam_path(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Return the path of an image's CAMs in our format."""
    return Path(folder) / f"{image_id}.npz"


def find_cams(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Find an image's CAMs, ours (.npz) or published ones (.npy).

    Raises:
        FileNotFoundError: there are none; names the stage that makes them.
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
        size: the image's (H, W), to check the maps against.

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
    """Return keys, and either the raw maps with the image's size, or cam and high_res."""
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


def require_cams(folder: str, ids: Sequence[str]) -> None:
    """Raise FileNotFoundError, naming the stage that makes them, if an image's CAMs are missing."""
    for image_id in ids:
        find_cams(folder, image_id)
