"""What programs built on the published one read, by the lines with which they read it."""

import numpy as np
import torch

from misc.cams import CAMs, combine_scales
from misc.files.cam_files import write_published_cams
from misc.files.labels import save_published_instances


def test_a_file_of_cams_is_read_as_the_published_program_reads_its_own(tmp_path):
    maps, keys = [np.random.default_rng(0).random((2, 5, 7), np.float32)], np.array([3, 14])
    cam, high_res = combine_scales([torch.from_numpy(maps[0])], (75, 101))
    cams = CAMs(keys=keys, cam=cam.numpy(), high_res=high_res.numpy())
    write_published_cams(tmp_path / "a.npy", cams)
    cam_dict = np.load(tmp_path / "a.npy", allow_pickle=True).item()
    assert np.abs(cam_dict["high_res"] - high_res.numpy()).max() < 1e-6
    assert (cam_dict["cam"] - cam).abs().max() < 1e-6
    labels = np.pad(cam_dict["keys"] + 1, (1, 0), mode="constant")
    assert labels.tolist() == [0, 4, 15]
    cut = np.pad(cam_dict["high_res"], ((1, 0), (0, 0), (0, 0)), constant_values=0.15)
    assert labels[np.argmax(cut, axis=0)].shape == (75, 101)


def test_a_file_of_instances_is_read_as_the_published_program_reads_its_own(tmp_path):
    found = {"score": np.ones(2, np.float32), "mask": np.ones((2, 3, 4), bool)}
    save_published_instances(tmp_path / "a.npy", {**found, "class": np.array([0, 7])})
    ins_seg = np.load(tmp_path / "a.npy", allow_pickle=True).item()
    assert {n: (v.dtype, v.shape) for n, v in ins_seg.items()} == {
        "score": (np.float32, (2,)),
        "mask": (bool, (2, 3, 4)),
        "class": (np.int64, (2,)),
    }
