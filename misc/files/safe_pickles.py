"""The pickles in which other programs keep arrays: read without executing them, and written."""

import collections
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.atomic import atomic_path


def read_npy_object(path: str | os.PathLike[str]) -> Any:
    """Read a `.npy` file that holds one object: plain containers of arrays, tensors and numbers.

    A file that is broken, or whose pickle names anything else, raises any exception.
    """
    with Path(path).open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
        if shape != () or not dtype.hasobject:
            raise ValueError(f"an array of shape {shape} and type {dtype}")
        return _Unpickler(file).load().item()


def write_npy_object(path: Path, value: Any) -> None:
    """Write one object as a `.npy` file, a pickle, as the published program keeps its results."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(value), allow_pickle=True)


def read_pt_object(path: str | os.PathLike[str]) -> Any:
    """Read a file of torch.save as `read_npy_object` reads its kind; torch admits no NumPy."""
    # With torch's own reader, so that what is checked is what is loaded.
    if "constants.pkl" in torch._C.PyTorchFileReader(os.fspath(path)).get_all_records():
        raise ValueError("a program of TorchScript, which torch.load would load")
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_PickleModule)


# In Python: the one in C reserves gigabytes for the memo of a broken pickle.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[(module.replace("numpy._core", "numpy.core"), name)]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted") from None


class _PickleModule:
    Unpickler = _Unpickler


def _load_storage(data: bytes) -> Any:
    # A torch storage inside a pickle is a torch file of its own, read by the safe reader.
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _tensor_of(data: Any, _requires_grad: Any, _hooks: Any) -> torch.Tensor:
    # Of a parameter the tensor alone is taken.
    if not isinstance(data, torch.Tensor):
        raise pickle.UnpicklingError(f"a parameter of {type(data).__name__}")
    return data.detach()


def _latin1(text: str, encoding: str) -> bytes:
    # Protocol 2 pickles encode bytes this way; no other codec is needed.
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"codec {encoding} is not admitted")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    # The content of an empty array in protocol 2.
    return b""


# NumPy has moved the first two between modules; an array and a scalar know where they are.
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(1).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): np.float32(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _tensor_of,
    ("torch.storage", "_load_from_bytes"): _load_storage,
}
