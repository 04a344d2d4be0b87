import io
import math
import zipfile

import pytest

from misc.files.limits import LARGEST_ARCHIVE, check_archive

GIB = 1 << 30


def declaring(size):
    """An archive of a few bytes whose directory declares one member of `size` bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("member", b"1")
    data = buffer.getvalue()
    at = data.rindex(b"PK\x01\x02") + 24
    return io.BytesIO(data[:at] + size.to_bytes(4, "little") + data[at + 4 :])


def test_an_archive_may_unpack_to_two_gib_by_default():
    check_archive(declaring(LARGEST_ARCHIVE), 2 * GIB, ratio=2)
    with pytest.raises(ValueError, match=f"{3 * GIB} bytes would unpack to {3 * GIB}"):
        check_archive(declaring(3 * GIB), 3 * GIB, ratio=2)


def test_without_a_largest_size_the_files_own_size_is_the_bound():
    check_archive(declaring(3 * GIB), 3 * GIB, ratio=2, largest=math.inf)
    with pytest.raises(ValueError, match=f"1000000000 bytes would unpack to {3 * GIB}"):
        check_archive(declaring(3 * GIB), 1_000_000_000, ratio=2, largest=math.inf)
