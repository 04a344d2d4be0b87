import numpy as np
import pytest
from PIL import Image

from misc.files.images import photograph_formats, read_image, read_photograph


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


def test_16_bits_keep_their_upper_byte(tmp_path):
    values = np.array([[0, 255, 4095], [4096, 32768, 65535]], np.uint16)
    for ending in ("png", "tif"):
        assert as_read(tmp_path / f"a.{ending}", values) == [[0, 0, 15], [16, 128, 255]]


def test_16_bits_of_which_none_is_above_4095_are_12_bits(tmp_path):
    values = np.array([[0, 16, 255], [1024, 2048, 4095]], np.uint16)
    for ending in ("png", "tif"):
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
