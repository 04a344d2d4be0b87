"""Files made to do harm: each is refused in one line, before memory is taken or code is run."""

import io
import pickle
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from misc.files.cam_files import read_cams
from misc.files.images import read_image
from misc.files.weights import load_weights, read_state_dict


def test_a_pickle_bomb_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    np.save(tmp_path / "a.npy", {"keys": Bomb()})
    torch.save({"weight": Bomb()}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="open is not admitted"):
        read_cams(tmp_path / "a.npy")
    for name in ("a.pth", "b.pth"):
        with pytest.raises(ValueError, match="not a readable weights file"):
            read_state_dict(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_weights_with_a_flipped_bit_or_no_numbers_are_refused(tmp_path):
    path, model = tmp_path / "a.pth", nn.Linear(40, 40)
    torch.save(model.state_dict(), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"in it is broken"):
        read_state_dict(path)
    state = model.state_dict() | {"bias": torch.full((40,), float("nan"))}
    with pytest.raises(ValueError, match="bias holds values that are not finite"):
        load_weights(model, state, source="--cam_weights_name a.pth")


def test_a_jpeg_of_60000_by_60000_pixels_is_refused_before_it_is_decoded(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format="JPEG")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 60000, 60000)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ValueError, match="3600000000 pixels"):
        read_image(tmp_path / "a.jpg")


def test_a_program_of_torchscript_is_no_cam_file(tmp_path):
    torch.jit.script(nn.ReLU()).save(tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt: .*TorchScript"):
        read_cams(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ([-1], 1, "are not classes"),
        ([254], 1, "are not classes"),
        ([3, 3], 1, "are not classes"),
        ([0], np.nan, "not finite"),
        ([0], np.inf, "not finite"),
    ],
)
def test_cams_of_impossible_classes_or_values_are_refused(tmp_path, keys, value, message):
    maps = np.full((len(keys), 9, 14), value, np.float32)
    content = {"keys": np.array(keys), "cam": maps[:, ::4, ::4], "high_res": maps}
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(ValueError, match=message):
        read_cams(tmp_path / "a.npy")
