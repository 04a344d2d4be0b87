"""The Semantic Boundaries Dataset: more images of VOC's classes, with labels in .mat files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.io

from voc12.annotations import CLASS_NAMES

INSIDE = (".", "dataset", "benchmark_RELEASE/dataset")


def sbd_folder(sbd_root: Path, names: Iterable[str]) -> Path | None:
    """Return the folder under --sbd_root that holds all these names; None where none does."""
    wanted = list(names)
    folders = [sbd_root / inside for inside in INSIDE]
    return next((f for f in folders if all((f / name).exists() for name in wanted)), None)


def read_sbd_semantic(path: Path) -> np.ndarray:
    """Read a semantic label of `cls`: uint8 (H, W), 0 background, class id + 1."""
    fields = _read_struct(path, "GTcls")
    label = _map(path, fields)
    _check_classes(path, label[label != 0])
    return label.astype(np.uint8)


def read_sbd_instances(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the instances of `inst`: bool (N, H, W), and their classes, int64 (N,), from 0."""
    fields = _read_struct(path, "GTinst")
    numbers = _map(path, fields)
    categories = fields.get("Categories", np.zeros(0)).ravel()
    _check_classes(path, categories)
    found = np.setdiff1d(numbers, [0])
    if found.size and not 1 <= found.min() <= found.max() <= len(categories):
        raise ValueError(
            f"{path}: has the instance {found[-1]}, but Categories has {len(categories)} entries"
        )
    masks = numbers == found[:, None, None]
    return masks, categories[found.astype(np.int64) - 1].astype(np.int64) - 1


def _read_struct(path: Path, name: str) -> dict[str, np.ndarray]:
    try:
        struct = scipy.io.loadmat(path, variable_names=[name])[name][0, 0]
        return {field: struct[field] for field in struct.dtype.names}
    except Exception as error:  # SciPy raises almost anything on a broken file
        raise ValueError(
            f"{path}: not a readable .mat file with the struct {name} ({error})"
        ) from error


def _map(path: Path, fields: dict[str, np.ndarray]) -> np.ndarray:
    values = fields.get("Segmentation")
    if values is None or values.ndim != 2 or not values.size:
        shape = None if values is None else values.shape
        raise ValueError(f"{path}: Segmentation should be a map (H, W), its shape is {shape}")
    return values


def _check_classes(path: Path, values: np.ndarray) -> None:
    strange = values[~np.isin(values, np.arange(1, len(CLASS_NAMES) + 1))]
    if strange.size:
        raise ValueError(
            f"{path}: has the class {strange[0]}; accepted are 1 to {len(CLASS_NAMES)}"
        )
