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
