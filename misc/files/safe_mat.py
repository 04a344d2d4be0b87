"""Reading MATLAB's .mat files (version 5 to 7) without trusting them.

SciPy's reader trusts the sizes in a file, and a corrupt one crashes the process. Here every size
is checked against the bytes present; variables that are not needed are skipped.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LARGEST_FILE = 8_000_000
LARGEST_UNPACKED = 64_000_000
_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_STRUCT = 2
# Dtypes of numeric arrays, by the class in their flags; and of their storage.
_ARRAYS = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), start=6))
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_STORED |= {12: "i8", 13: "u8"}


def read_mat_struct(path: str | os.PathLike[str], name: str) -> dict[str, np.ndarray]:
    """Read the variable `name`, a struct: its fields that are real arrays of numbers, by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is too large, broken, of another version, or has no such struct.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    size = Path(path).stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"{path}: is {size} bytes; accepted are {LARGEST_FILE}")
    try:
        data = Path(path).read_bytes()
        for variable in _variables(data):
            if variable.name == name:
                return variable.fields()
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise ValueError(f"{path}: not a readable .mat file of version 5 to 7 ({error})") from error
    raise ValueError(f"{path}: has no variable {name}")


@dataclass(frozen=True)
class _Bytes:
    """Bytes of the file, and their byte order: `<` or `>`."""

    data: memoryview
    order: str

    def elements(self, *, packed: bool = False) -> Iterator[tuple[int, "_Bytes"]]:
        """Yield the consecutive elements: type and content of each."""
        place = 0
        while place < len(self.data):
            kind, length = struct.unpack_from(f"{self.order}II", self.data, place)
            start = place + 8
            if kind >> 16:  # up to four bytes are stored in the header itself
                kind, length, start = kind & 0xFFFF, kind >> 16, place + 4
            end = start + length
            if end > len(self.data) or (start == place + 4 and length > 4):
                raise ValueError(f"an element of {length} bytes reaches over the end")
            yield kind, _Bytes(self.data[start:end], self.order)
            aligned = place + 8 if start == place + 4 else end + (-length % 8)
            place = end if packed and kind == _COMPRESSED else aligned

    def numbers(self, kind: int) -> np.ndarray:
        """Read the content of an element of this type as numbers."""
        if kind not in _STORED:
            raise ValueError(f"an element of the type {kind} holds no numbers")
        stored = np.dtype(self.order + _STORED[kind])
        return np.frombuffer(
            self.data[: len(self.data) // stored.itemsize * stored.itemsize], stored
        )

    def text(self) -> str:
        """Read the content as a name."""
        return bytes(self.data).split(b"\0")[0].decode("ascii")


class _Matrix:
    """An array of any class: its header, and the elements that follow it."""

    def __init__(self, content: _Bytes) -> None:
        self.order, self.name = content.order, ""
        self.parts = content.elements()
        if not len(content.data):  # MATLAB's []
            self.kind, self.complex = 6, False
            self.shape: tuple[int, ...] = (0, 0)
            return
        flags, shape, name = (self._next() for _ in range(3))
        head = int(flags[1].numbers(flags[0])[0])
        self.kind, self.complex = head & 0xFF, bool(head & 0x0800)
        self.shape = tuple(int(side) for side in shape[1].numbers(shape[0]))
        self.name = name[1].text()

    def fields(self) -> dict[str, np.ndarray]:
        """Read a struct's fields that are arrays of numbers."""
        if self.kind != _STRUCT or self.shape != (1, 1):
            raise ValueError(f"{self.name} is no single struct")
        kind, content = self._next()
        length = int(content.numbers(kind)[0])
        joined = self._next()[1]
        if length < 1 or len(joined.data) % length:
            raise ValueError(f"field names of {length} bytes")
        starts = range(0, len(joined.data), length)
        names = [_Bytes(joined.data[n : n + length], self.order).text() for n in starts]
        matrices = {name: self._matrix() for name in names}
        return {name: m.array() for name, m in matrices.items() if m.kind in _ARRAYS}

    def array(self) -> np.ndarray:
        """Read an array of real numbers."""
        if 0 in self.shape:
            return np.zeros(self.shape, _ARRAYS[self.kind])
        kind, content = self._next()
        values = content.numbers(kind)
        if self.complex or len(values) != math.prod(self.shape):
            raise ValueError(f"{len(values)} numbers for an array of the shape {self.shape}")
        return values.reshape(self.shape, order="F").astype(_ARRAYS[self.kind])

    def _next(self) -> tuple[int, _Bytes]:
        try:
            return next(self.parts)
        except StopIteration:
            raise ValueError(f"{self.name or 'a variable'} is truncated") from None

    def _matrix(self) -> "_Matrix":
        kind, content = self._next()
        if kind != _MATRIX:
            raise ValueError(f"a field of the type {kind}")
        return _Matrix(content)


def _variables(data: bytes) -> Iterator[_Matrix]:
    orders = {b"IM": "<", b"MI": ">"}
    if data[126:_HEADER] not in orders:
        raise ValueError("its head is another's")
    order, left = orders[data[126:_HEADER]], LARGEST_UNPACKED
    for kind, content in _Bytes(memoryview(data)[_HEADER:], order).elements(packed=True):
        if kind == _COMPRESSED:
            unpacked = _unpack(content.data, left)
            left -= len(unpacked)
            kind, content = next(_Bytes(memoryview(unpacked), order).elements(), (0, content))
        if kind == _MATRIX:
            yield _Matrix(content)


def _unpack(data: memoryview, largest: int) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, largest + 1)
    if len(unpacked) > largest:
        raise ValueError(f"it would unpack to over {LARGEST_UNPACKED} bytes")
    return unpacked
