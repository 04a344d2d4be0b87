"""Reading `.npy` files of CAMs, which are pickles, without executing a pickle."""

import collections
import io
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.limits import check_archive


def read_npy_object(path: str | os.PathLike[str]) -> Any:
    """Read a `.npy` file that holds one object: plain containers of arrays, tensors and numbers.

    A pickle that names anything else is rejected before the name is resolved. The sizes of its
    arrays and tensors are not checked yet: a tensor's strides can expand a few bytes to gigabytes
    once it is copied.

    Raises:
        any exception: the file is broken, unsafe, or holds something else.
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
        return _unpickled(file.read()).item()


def _unpickled(data: bytes) -> Any:
    _check_memo(data)
    return _Unpickler(io.BytesIO(data)).load()


def _check_memo(data: bytes) -> None:
    # A memo index sets the length of a list: a few bytes could allocate gigabytes.
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name.endswith("PUT") and int(argument or 0) > len(data):
            raise pickle.UnpicklingError(f"a memo of {argument} places")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[(module.replace("numpy._core", "numpy.core"), name)]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted") from None


class TorchPickle:
    """What torch.load takes as its `pickle_module`, to read tensors and arrays as safely."""

    Unpickler = _Unpickler

    @staticmethod
    def check(path: str | os.PathLike[str]) -> None:
        """Check a file of torch.save before it is loaded; any exception where it is refused."""
        check_archive(path, os.path.getsize(path), ratio=2)
        # With torch's own reader, so that what is checked is what is loaded.
        archive = torch._C.PyTorchFileReader(os.fspath(path))
        if "constants.pkl" in archive.get_all_records():
            raise ValueError("a program of TorchScript, which torch.load would load")
        _check_memo(archive.get_record("data.pkl"))


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
        ("__builtin__", "bytes"): _no_bytes,
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): _tensor_of,
        ("torch.storage", "_load_from_bytes"): _load_storage,
    }


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


_ADMITTED = _admitted()
