"""CAM files of other programs: every form of the same maps gives these maps."""

import numpy as np
import pytest
import torch

from misc.argmax import label_map
from misc.cams import high_res_cam, strided_cam
from misc.files.cam_files import CamFolder, find_cams, read_cams
from tests import foreign_cams
from tests.foreign_cams import ALL, FORMATS

SIZE, GRID = (48, 64), (12, 16)
KEYS = [[1, 4], [2], []]
BACK = np.float32(0.25)


def made_maps(keys):
    """Make maps that float16 holds exactly: high_res, and cam that `strided_cam` makes of it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 63, (len(keys), 6, 8)) / 64
    high_res = np.kron(coarse, np.ones((1, 8, 8))) + np.arange(len(keys))[:, None, None] / 256
    for number, maps in enumerate(high_res):
        maps[8 * number : 8 * number + 8, :8] = 1
    cam = high_res.reshape(-1, 12, 4, 16, 4)[:, :, 1:3, :, 1:3].mean(axis=(2, 4))
    return cam.astype(np.float32), high_res.astype(np.float32)


@pytest.mark.parametrize(
    ("ending", "dtype", "wrap"),
    [
        (".npy", np.float16, np.asarray),
        (".npy", np.float64, torch.from_numpy),
        (".npz", np.float32, np.asarray),
        (".pt", np.float16, torch.from_numpy),
    ],
)
@pytest.mark.parametrize("form", FORMATS)
def test_the_maps_are_read_whatever_the_form_and_the_file(tmp_path, form, ending, dtype, wrap):
    for number, classes in enumerate(KEYS):
        keys = np.array(classes, np.int64)
        cam, high_res = made_maps(keys)
        content = FORMATS[form](keys, cam, high_res, BACK)
        foreign_cams.write(tmp_path / f"{number}{ending}", content, dtype=dtype, wrap=wrap)
        found = CamFolder(path=tmp_path, num_classes=ALL).read(str(number), SIZE)
        assert found.keys.tolist() == classes
        assert found.cam.dtype == found.high_res.dtype == np.float32
        if form in foreign_cams.COARSE:
            high_res = high_res_cam([torch.from_numpy(cam)], SIZE).numpy()
        np.testing.assert_allclose(found.high_res, high_res, atol=2e-5)
        np.testing.assert_allclose(found.cam, cam, atol=2e-5)


@pytest.mark.parametrize(
    "content",
    [
        {"keys": np.zeros(0, np.int64)},
        {"keys": []},
        {"keys": torch.zeros(0), "cam": torch.zeros(0), "high_res": torch.zeros(0)},
        {"keys": np.zeros(0, np.int64), "cam": [], "high_res": []},
        {"keys": [], "cam": None, "high_res": None},
        {"keys": np.array([0]), "cam": np.zeros((0, 12, 16)), "hr_cam": np.zeros((0, 48, 64))},
        {},
    ],
)
def test_an_image_without_any_class_has_no_maps(tmp_path, content):
    np.save(tmp_path / "a.npy", content)
    cams = read_cams(tmp_path / "a.npy", size=SIZE, num_classes=ALL)
    assert cams.keys.tolist() == []
    assert (cams.cam.shape, cams.high_res.shape) == ((0, *GRID), (0, *SIZE))
    assert not label_map(cams.high_res, cams.keys, 0.3).any()


def test_values_outside_0_to_1_are_divided_by_their_maximum(tmp_path):
    maps = np.stack([np.full(SIZE, 4.0), np.full(SIZE, 0.5)])
    maps[:, 0, 0] = [8, -3]
    np.save(tmp_path / "a.npy", {"keys": np.array([0, 1]), "high_res": maps})
    cams = read_cams(tmp_path / "a.npy", size=SIZE)
    assert cams.high_res[:, 0, 0] == pytest.approx([1, 0], abs=1e-4)
    assert cams.high_res[:, 1, 1] == pytest.approx([0.5, 1], abs=1e-4)


def test_maps_of_another_size_are_resized_to_the_image(tmp_path):
    size = (75, 101)
    ramp = np.broadcast_to(np.linspace(0, 1, 200, dtype=np.float32), (1, 150, 200))
    np.save(tmp_path / "a.npy", {"keys": np.array([3]), "cam": ramp, "high_res": ramp})
    cams = read_cams(tmp_path / "a.npy", size=size)
    assert (cams.cam.shape, cams.high_res.shape) == ((1, 19, 26), (1, *size))
    np.testing.assert_allclose(cams.high_res[0, 30], np.linspace(0, 1, 101), atol=0.01)
    np.testing.assert_allclose(cams.cam[0, 7], np.linspace(0, 1, 26), atol=0.03)


@pytest.mark.parametrize("grid", [(19, 26), (5, 7)], ids=["stride 4", "stride 16"])
def test_maps_on_a_grid_are_enlarged_as_our_own_are(tmp_path, grid):
    size = (75, 101)
    maps = torch.rand(2, *grid, generator=torch.Generator().manual_seed(0))
    maps /= maps.amax(dim=(1, 2), keepdim=True)
    np.save(tmp_path / "a.npy", {"keys": np.array([3, 4]), "cam": maps.numpy()})
    cams = read_cams(tmp_path / "a.npy", size=size)
    np.testing.assert_allclose(cams.high_res, high_res_cam([maps], size), atol=2e-5)
    np.testing.assert_allclose(cams.cam, strided_cam([maps], size), atol=2e-5)


BROKEN = {
    "more keys than maps": {"keys": np.arange(3), "cam": np.ones((1, 12, 16))},
    "keys alone": {"keys": np.array([2])},
    "cam and high_res of other counts": {
        "keys": np.arange(2),
        "cam": np.ones((2, 12, 16)),
        "high_res": np.ones((3, *SIZE)),
    },
    "words": {"keys": np.array(["cat"]), "cam": np.ones((1, 12, 16))},
    "a dict": {"keys": np.arange(1), "cam": {0: np.ones((12, 16))}},
    "a class beyond": {"keys": np.array([5]), "cam": np.ones((1, 12, 16))},
    "IS_CAM without a background": {"keys": np.array([1, 2]), "IS_CAM": np.ones((2, 12, 16))},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_line_that_names_it(tmp_path, name):
    np.save(tmp_path / "a.npy", BROKEN[name])
    with pytest.raises(ValueError, match=r"a\.npy: ") as found:
        read_cams(tmp_path / "a.npy", size=SIZE, num_classes=ALL)
    assert "\n" not in str(found.value)


def test_a_key_beyond_the_last_class_by_one_asks_whether_they_count_from_one(tmp_path):
    np.save(tmp_path / "a.npy", {0: np.ones((3, 4)), ALL: np.ones((3, 4))})
    with pytest.raises(ValueError, match=r"are not classes.*; do they count from 1, with 0 for"):
        read_cams(tmp_path / "a.npy", num_classes=ALL)


@pytest.mark.parametrize("ending", [".npz", ".npy", ".pt"])
def test_a_file_of_nothing_sensible_cannot_be_read_as_cams(tmp_path, ending):
    (tmp_path / f"a{ending}").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"a\..*: cannot be read as CAMs \("):
        read_cams(tmp_path / f"a{ending}")


def test_a_file_that_fits_two_forms_is_refused_with_both(tmp_path):
    content = {"keys": np.arange(4), "cam": np.ones((5, 12, 16))}
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(ValueError, match=r"keys \[0, 1, 2, 3\], cam \(5, 12, 16\).* or 'a map for"):
        read_cams(tmp_path / "a.npy", num_classes=5)
    assert len(read_cams(tmp_path / "a.npy", num_classes=20).keys) == 4


@pytest.mark.parametrize(
    ("image_id", "name"),
    [
        ("000000000009", "COCO_train2014_000000000009.npy"),
        ("COCO_train2014_000000000009", "000000000009.pt"),
        ("2007_000032", "2007_000032.npz"),
        ("berlin_000001_000019", "berlin_000001_000019.npy"),
    ],
)
def test_a_name_is_found_with_and_without_a_prefix(tmp_path, image_id, name):
    (tmp_path / name).touch()
    (tmp_path / "COCO_train2014_000000000010.npy").touch()
    assert find_cams(tmp_path, image_id).name == name


def test_a_number_of_two_files_is_refused(tmp_path):
    for split in ("train", "val"):
        (tmp_path / f"COCO_{split}2014_000000000009.npy").touch()
    with pytest.raises(ValueError, match=r"train2014_000000000009\.npy and COCO_val2014"):
        find_cams(tmp_path, "000000000009")
    assert "val" in find_cams(tmp_path, "COCO_val2014_000000000009").name


@pytest.mark.parametrize("image_id", ["2007_000032", "bochum_000000_000032"])
def test_the_file_of_another_image_is_not_taken(tmp_path, image_id):
    (tmp_path / "berlin_000001_000032.npy").touch()
    (tmp_path / "COCO_train2014_000032.npy").touch()
    with pytest.raises(FileNotFoundError, match=rf"{image_id}\.npz"):
        find_cams(tmp_path, image_id)
