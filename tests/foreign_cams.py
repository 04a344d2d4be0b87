"""CAM files as other programs write them, each from the same maps."""

import numpy as np
import torch

from misc.files.cam_files import read_cams
from misc.files.cam_formats import ENDINGS

ALL = 5  # classes of the data set


def with_background(maps, background):
    return np.concatenate([np.broadcast_to(background, (1, *maps.shape[1:])), maps])


def all_classes(keys, maps, noise=0.9):
    """Put the maps among those of all classes; the others are large, and must not be read."""
    full = np.full((ALL, *maps.shape[1:]), noise, maps.dtype)
    full[keys] = maps
    return full


# By name: what is in the file, of keys (K,), cam (K, h, w), high_res (K, H, W), and background.
FORMATS = {
    "published": lambda k, c, h, b: {"keys": k, "cam": c, "high_res": h},
    "AMN": lambda k, c, h, b: {
        "keys": k,
        "cam": with_background(c, b),
        "high_res": with_background(h, b),
    },
    "SIPE": lambda k, c, h, b: {"keys": np.append(0, k + 1), "IS_CAM": with_background(h, b)},
    "PSDPM": lambda k, c, h, b: {
        "keys": np.append(0, k + 1),
        "IS_CAM": with_background(1 - h, b),
        "IS_CAM1": with_background(h, b),
    },
    "Puzzle-CAM": lambda k, c, h, b: {"keys": np.append(0, k + 1), "cam": c, "hr_cam": h},
    "CoBra": lambda k, c, h, b: {
        "keys": k,
        "cam": c,
        "high_res_seed": h,
        "high_res_cnn": 1 - h,
        "high_res_attn": 1 - h,
    },
    "all classes": lambda k, c, h, b: {
        "keys": k,
        "cam": all_classes(k, c),
        "high_res": all_classes(k, h),
    },
    "all classes, cam alone": lambda k, c, h, b: {"keys": k, "cam": all_classes(k, c)},
    "CLIP-ES": lambda k, c, h, b: {"keys": k, "attn_highres": h},
    "ExCEL": lambda k, c, h, b: {"keys_gt": k, "valid_lam": c},
    "{class: map}": lambda k, c, h, b: {int(key): maps for key, maps in zip(k, h, strict=True)},
    "high_res alone": lambda k, c, h, b: {"keys": k, "high_res": h},
    "hr_cam alone": lambda k, c, h, b: {"keys": k, "hr_cam": h},
    "cam alone": lambda k, c, h, b: {"keys": k, "cam": c},
    "cam with a background, alone": lambda k, c, h, b: {"keys": k, "cam": with_background(c, b)},
}

# Of the coarse maps alone.
COARSE = ("all classes, cam alone", "ExCEL", "cam alone", "cam with a background, alone")


def write(path, content, *, dtype=np.float32, wrap=np.asarray):
    """Write a file of CAMs, the maps of this dtype; torch.from_numpy wraps them as tensors."""
    content = {
        name: wrap(np.asarray(v) if str(name).startswith("keys") else np.asarray(v, dtype))
        for name, v in content.items()
    }
    if path.suffix == ".npy":
        np.save(path, content)
    elif path.suffix == ".npz":
        np.savez(path, **{str(name): np.asarray(value) for name, value in content.items()})
    else:
        torch.save(content, path)


def convert(source, destination, *, but=("all classes", "cam")):
    """Write each of our files of CAMs in the next form of other programs; return how many."""
    forms = [form for name, form in FORMATS.items() if not name.startswith(but)]
    destination.mkdir()
    paths = sorted(source.glob("*.npz"))
    for number, path in enumerate(paths):
        cams = read_cams(path)
        content = forms[number % len(forms)](cams.keys, cams.cam, cams.high_res, 0.1)
        write(destination / f"{path.stem}{ENDINGS[number % len(ENDINGS)]}", content)
    return len(paths)
