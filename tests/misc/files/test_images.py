import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from misc.files.images import (
    photograph_formats,
    photograph_size,
    read_image,
    read_label,
    read_numbers,
    read_photograph,
)


def test_exif_rotation_is_applied_to_photographs_and_not_to_the_images_of_data_sets(tmp_path):
    stored = np.zeros((20, 30, 3), np.uint8)
    stored[:10] = 255  # the upper half; turned a quarter clockwise it is the right half
    picture, path = Image.fromarray(stored), tmp_path / "a.png"
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    seen = read_photograph(path)
    assert seen.shape == (30, 20, 3)
    assert (seen[:, 10:] == 255).all()
    assert (seen[:, :10] == 0).all()
    assert np.array_equal(read_image(path), stored)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_size_of_a_photograph_is_that_of_what_is_read(tmp_path, ending, turn):
    picture, path = Image.new("RGB", (30, 20)), tmp_path / f"a.{ending}"
    exif = picture.getexif()
    exif[0x0112] = turn
    picture.save(path, exif=exif)
    assert read_photograph(path).shape[:2] == photograph_size(path)
    assert photograph_size(path) == ((30, 20) if turn >= 5 else (20, 30))


def test_an_exif_field_of_a_wrong_type_does_not_hide_the_rotation(tmp_path):
    fields = [(0x0112, 3, 1, struct.pack("<HH", 6, 0)), (0x0100, 2, 4, b"abc\0")]
    exif = b"Exif\0\0II" + struct.pack("<HIH", 42, 8, len(fields))
    exif += b"".join(struct.pack("<HHI", *field[:3]) + field[3] for field in fields)
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif + bytes(4))
    assert read_photograph(tmp_path / "a.jpg").shape == (30, 20, 3)


def test_a_photograph_of_108_megapixels_is_opened(tmp_path):
    Image.new("1", (12000, 9000)).save(tmp_path / "a.png", compress_level=1)
    assert photograph_size(tmp_path / "a.png") == (9000, 12000)


def write_grey_png(path, values, bits, more=b""):
    """Write a grey PNG of any number of bits, of which Pillow writes none of 2 and 4."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = values.shape
    digits = [[format(value, f"0{bits}b") for value in row] for row in values.tolist()]
    rows = ["".join(row) for row in digits]
    lines = [int(row.ljust(-len(row) % 8 + len(row), "0"), 2) for row in rows]
    data = b"".join(b"\0" + line.to_bytes(-(-width * bits // 8), "big") for line in lines)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + (more and chunk(b"tRNS", more)) + body)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_labels_are_the_values_that_the_file_has_not_stretched_ones(tmp_path, bits):
    values = np.arange(2**bits).reshape(2, -1)
    write_grey_png(tmp_path / "a.png", values, bits)
    assert np.array_equal(read_label(tmp_path / "a.png"), values)
    assert np.array_equal(read_numbers(tmp_path / "a.png"), values)


def test_grey_of_16_bits_with_a_transparent_value_keeps_the_others(tmp_path):
    values = np.array([[0, 256, 40000], [65535, 7 << 8, 0]])
    write_grey_png(tmp_path / "a.png", values, 16, more=struct.pack(">H", 0))
    seen = read_photograph(tmp_path / "a.png")[..., 0]
    assert seen.tolist() == [[255, 1, 156], [255, 7, 255]]


@pytest.mark.parametrize(("mode", "name"), [("RGBA", "a.png"), ("LA", "a.png"), ("RGBA", "a.webp")])
def test_what_is_transparent_is_white(mode, name, tmp_path):
    values = np.zeros((4, 6, 4), np.uint8)
    values[:, :3, 3] = 255
    options = {"lossless": True} if name == "a.webp" else {}
    Image.fromarray(values).convert(mode).save(tmp_path / name, **options)
    seen = read_photograph(tmp_path / name)
    assert (seen[:, :3] == 0).all()
    assert (seen[:, 3:] == 255).all()


def test_opaque_photographs_of_data_sets_are_read_alike(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    for mode, name in (("RGB", "a.jpg"), ("L", "b.png"), ("P", "c.png"), ("CMYK", "d.jpg")):
        Image.fromarray(values).convert(mode).save(tmp_path / name)
        assert np.array_equal(read_photograph(tmp_path / name), read_image(tmp_path / name))


def test_formats_whose_readers_start_programs_are_refused(tmp_path):
    assert {".jpg", ".png", ".webp", ".tif", ".gif", ".bmp"} <= set(photograph_formats())
    assert not {".eps", ".ps", ".wmf", ".emf"} & set(photograph_formats())
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path, format="EPS")
    with pytest.raises(ValueError, match=r"a\.jpg: cannot be read as an image"):
        read_photograph(path)


def as_read(path, values):
    Image.fromarray(values).save(path)
    red, green, blue = read_image(path).transpose(2, 0, 1)
    assert np.array_equal(red, green)
    assert np.array_equal(red, blue)
    return red.tolist()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_keep_their_upper_byte_and_are_12_where_none_is_above_4095(tmp_path, ending):
    values = np.array([[0, 255, 4095], [4096, 32768, 65535]], np.uint16)
    assert as_read(tmp_path / f"a.{ending}", values) == [[0, 0, 15], [16, 128, 255]]
    values = np.array([[0, 16, 255], [1024, 2048, 4095]], np.uint16)
    assert as_read(tmp_path / f"a.{ending}", values) == [[0, 1, 15], [64, 128, 255]]


def test_floats_are_stretched_from_their_own_finite_minimum_to_maximum(tmp_path):
    values = np.array([[0, 0.5, 1], [0.25, 0.75, 1]], np.float32)
    assert as_read(tmp_path / "a.tif", values) == [[0, 128, 255], [64, 191, 255]]
    assert as_read(tmp_path / "b.tif", values * -3e38) == [[255, 128, 0], [191, 64, 0]]
    strange = np.array([[np.nan, -8, 2], [np.inf, -np.inf, 12]], np.float32)
    assert as_read(tmp_path / "c.tif", strange) == [[0, 0, 128], [255, 0, 255]]


@pytest.mark.parametrize("value", [0, 7.5, np.nan, np.inf])
def test_floats_of_one_value_are_black(value, tmp_path):
    assert as_read(tmp_path / "a.tif", np.full((2, 2), value, np.float32)) == [[0, 0], [0, 0]]
