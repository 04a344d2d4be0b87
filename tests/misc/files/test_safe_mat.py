"""The reader of .mat files equals SciPy's on what SciPy writes, and refuses what would crash it."""

import struct
import zlib

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from misc.files import safe_mat
from misc.files.safe_mat import read_mat_struct


def write(path, *, compressed=True, **fields):
    scipy.io.savemat(path, {"other": 3, "GTinst": fields}, do_compression=compressed)
    return path


def sbd_fields():
    """What SBD's files hold: a map, a cell of sparse outlines, and a column of classes."""
    outlines = np.empty((2, 1), object)
    outlines[0, 0] = outlines[1, 0] = scipy.sparse.csc_matrix(np.eye(9) > 0)
    segmentation = np.arange(9 * 14, dtype=np.uint8).reshape(9, 14)
    categories = np.array([[3], [20]], np.uint8)
    return {"Segmentation": segmentation, "Boundaries": outlines, "Categories": categories}


@pytest.mark.parametrize("compressed", [True, False])
def test_fields_equal_scipys_and_other_kinds_are_skipped(tmp_path, compressed):
    path = write(tmp_path / "a.mat", compressed=compressed, **sbd_fields())
    found = read_mat_struct(path, "GTinst")
    expected = scipy.io.loadmat(path)["GTinst"][0, 0]
    assert sorted(found) == ["Categories", "Segmentation"]
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])
        assert values.dtype == expected[name].dtype


@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 2), (2, 3, 4), (0, 3)])
def test_arrays_of_every_type_and_shape(tmp_path, dtype, shape):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    path = write(tmp_path / "a.mat", a=values, longer_name=values[..., :1])
    np.testing.assert_array_equal(read_mat_struct(path, "GTinst")["a"], values)
    np.testing.assert_array_equal(read_mat_struct(path, "GTinst")["longer_name"], values[..., :1])


def test_a_variable_that_is_not_there_or_is_no_struct_is_named(tmp_path):
    path = write(tmp_path / "a.mat", a=1)
    with pytest.raises(ValueError, match=r"a\.mat: has no variable GTcls"):
        read_mat_struct(path, "GTcls")
    with pytest.raises(ValueError, match=r"a\.mat: .*other is no single struct"):
        read_mat_struct(path, "other")
    with pytest.raises(FileNotFoundError, match=r"b\.mat: no such file"):
        read_mat_struct(tmp_path / "b.mat", "GTinst")


def test_a_file_of_another_version_is_refused(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(ValueError, match=r"not a readable \.mat file of version 5 to 7"):
        read_mat_struct(tmp_path / "a.mat", "GTinst")


def test_a_bomb_is_refused_before_it_takes_memory(tmp_path, monkeypatch):
    packed = zlib.compress(bytes(70_000_000))
    head = bytes(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(ValueError, match="would unpack to over 64000000 bytes"):
        read_mat_struct(tmp_path / "a.mat", "GTinst")
    monkeypatch.setattr(safe_mat, "LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="accepted are 100"):
        read_mat_struct(tmp_path / "a.mat", "GTinst")


def test_an_array_that_declares_more_than_there_is_is_refused(tmp_path):
    path = write(tmp_path / "a.mat", compressed=False, a=np.ones((3, 5), np.uint8))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<ii", 3, 5), struct.pack("<ii", 2**30, 2**30)))
    with pytest.raises(ValueError, match="15 numbers for an array of the shape"):
        read_mat_struct(path, "GTinst")


def test_no_cut_or_changed_byte_gives_another_error(tmp_path):
    path = write(tmp_path / "a.mat", compressed=False, **sbd_fields())
    data = path.read_bytes()
    read = 0
    for place in range(100, len(data), 3):
        changed = (bytes([value]) + data[place + 1 :] for value in (0, 5, 14, 255))
        for spoilt in (data[:place] + rest for rest in (b"", *changed)):
            path.write_bytes(spoilt)
            try:
                read_mat_struct(path, "GTinst")
                read += 1
            except ValueError:
                pass
    assert read > 100


def test_a_variable_without_a_name_is_one_that_is_truncated(tmp_path):
    flags = struct.pack("<II", 6, 8) + bytes(8)
    variable = struct.pack("<II", 14, len(flags)) + flags
    (tmp_path / "a.mat").write_bytes(bytes(124) + b"\x00\x01IM" + variable)
    with pytest.raises(ValueError, match="a variable is truncated"):
        read_mat_struct(tmp_path / "a.mat", "GTinst")
