"""Reading the published program's CAM files, which are pickles, without executing a pickle."""

import collections
import io
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.limits import check_archive, check_shape

_FIELDS = ("keys", "cam", "high_res")


def load_published_dict(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a `.npy` file holding a dict of `keys`, `cam` and `high_res`, torch or numpy inside.

    Only arrays, tensors and plain containers are allowed: a pickle that names anything else is
    rejected before the name is resolved.

    Returns:
        keys int64 (K,), cam float32 (K, h, w), high_res float32 (K, H, W).

    Raises:
        ValueError: the file is broken, unsafe, or holds something else.
    """
    try:
        content = _read_object(Path(path))
        # Keys may be an array, a tensor or a list; maps arrays or tensors.
        arrays = {name: _array(content[name]) for name in _FIELDS}
        result = {name: arrays[name].astype(np.float32) for name in ("cam", "high_res")}
        result["keys"] = arrays["keys"].astype(np.int64)
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(
            f"{path}: not a CAM file: expected a dict of keys, cam and high_res ({error})"
        ) from error
    shapes = {name: result[name].shape for name in _FIELDS}
    count = result["keys"].size
    if result["keys"].ndim != 1 or any(
        result[name].ndim != 3 or len(result[name]) != count for name in ("cam", "high_res")
    ):
        raise ValueError(
            f"{path}: expected keys (K,), cam (K, h, w), high_res (K, H, W); found {shapes}"
        )
    return result


def _read_object(path: Path) -> Any:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
        if shape != () or not dtype.hasobject:
            raise ValueError(f"an array of shape {shape} and type {dtype}")
        return _unpickled(file.read()).item()


def _unpickled(data: bytes) -> Any:
    # A memo index sets the length of a list: a few bytes could allocate gigabytes.
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name.endswith("PUT") and int(argument or 0) > len(data):
            raise pickle.UnpicklingError(f"a memo of {argument} places")
    return _Unpickler(io.BytesIO(data)).load()


def _array(value: Any) -> np.ndarray:
    # A tensor's strides can expand a few bytes to gigabytes; nothing is copied before this check.
    check_shape(getattr(value, "shape", ()))
    return np.asarray(value)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[(module.replace("numpy._core", "numpy.core"), name)]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted") from None


def _load_storage(data: bytes) -> Any:
    # A torch storage inside a pickle is a torch file of its own, read by the safe reader.
    if data.startswith(b"PK"):
        check_archive(io.BytesIO(data), len(data), ratio=2)
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _admitted() -> dict[tuple[str, str], Any]:
    # NumPy has moved these two between modules; an array and a scalar know where they are.
    reconstruct: Any = np.zeros(1).__reduce__()[0]
    scalar: Any = np.float32(0).__reduce__()[0]
    return {
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy.core.multiarray", "scalar"): scalar,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _latin1,
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch.storage", "_load_from_bytes"): _load_storage,
    }


def _latin1(text: str, encoding: str) -> bytes:
    # Protocol 2 pickles encode bytes this way; no other codec is needed.
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"codec {encoding} is not admitted")
    return text.encode("latin1")


_ADMITTED = _admitted()
