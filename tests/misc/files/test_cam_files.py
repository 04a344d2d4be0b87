import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from misc.cams import combine_scales
from misc.files.cam_files import read_cams, write_cams
from misc.files.images import write_label

SIZE = (75, 101)
SCALES = (1.0, 0.5, 1.5, 2.0)


def raw_maps(classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    grids = [tuple(-(-round(side * s) // 16) for side in SIZE) for s in SCALES]
    return [torch.rand(classes, *grid, generator=generator) ** 3 * 20 for grid in grids]


def test_scales_are_summed_cut_and_divided_by_the_class_maximum():
    maps = raw_maps(2)
    cam, high_res = combine_scales(maps, SIZE)
    for k in range(2):
        total = sum(
            F.interpolate(m[k][None, None], (80, 112), mode="bilinear", align_corners=False)
            for m in maps
        )[0, 0, :75, :101]
        torch.testing.assert_close(high_res[k], total / (total.max() + 1e-5))
    assert cam.shape == (2, 19, 26)
    assert high_res.amax(dim=(1, 2)).tolist() == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("classes", [0, 1, 3])
def test_cams_are_recovered_within_1e_4(tmp_path, classes):
    maps, keys = raw_maps(classes), np.arange(classes) + 4
    cam, high_res = combine_scales(maps, SIZE)
    write_cams(tmp_path / "a.npz", keys=keys, maps=maps, size=SIZE)
    read = read_cams(tmp_path / "a.npz")
    assert read.keys.tolist() == keys.tolist()
    assert read.cam.shape == (classes, 19, 26)
    assert read.high_res.shape == (classes, *SIZE)
    np.testing.assert_allclose(read.cam, cam, atol=1e-4)
    np.testing.assert_allclose(read.high_res, high_res, atol=1e-4)


def test_a_picture_with_a_palette_is_read_as_it_is_seen(tmp_path):
    grey = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 256
    write_label(tmp_path / "a_0.png", grey)
    palette = np.arange(255, -1, -1)[:, None].repeat(3, axis=1)
    write_label(tmp_path / "b_0.png", 255 - grey, palette=palette)
    seen = [read_cams(tmp_path / f"{name}_0.png", size=SIZE, num_classes=2) for name in "ab"]
    assert np.array_equal(seen[0].high_res, seen[1].high_res)
    write_label(tmp_path / "c_0.png", grey, palette=palette * [1, 1, 0])
    with pytest.raises(ValueError, match=r"c_0.png: its palette has colours; a grey image"):
        read_cams(tmp_path / "c_0.png", size=SIZE, num_classes=2)


def test_a_file_of_a_voc_image_takes_at_most_60_kb(tmp_path):
    rng = torch.Generator().manual_seed(0)
    maps = [torch.rand(2, h, w, generator=rng) for h, w in ((24, 32), (12, 16), (36, 47), (47, 63))]
    write_cams(tmp_path / "a.npz", keys=np.array([1, 2]), maps=maps, size=(375, 500))
    assert os.path.getsize(tmp_path / "a.npz") <= 60_000


@pytest.mark.parametrize("ending", [".npy", ".pt"])
def test_maps_that_are_parameters_are_read_as_their_tensors(tmp_path, ending):
    maps = torch.rand(2, *SIZE)
    content = {"keys": torch.tensor([3, 14]), "high_res": torch.nn.Parameter(maps)}
    path = tmp_path / f"a{ending}"
    np.save(path, content) if ending == ".npy" else torch.save(content, path)
    assert (read_cams(path).high_res == maps.numpy()).all()
