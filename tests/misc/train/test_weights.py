import pytest
import torch
from torch import nn

from misc.files.weights import load_weights, read_state_dict, save_weights


def test_wrappers_of_other_programs_are_undone(tmp_path):
    model = nn.Linear(3, 2)
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "net.pth")
    assert set(read_state_dict(tmp_path / "net.pth")) == {"weight", "bias"}


def test_missing_and_unknown_names_are_named():
    with pytest.raises(ValueError, match="missing bias; unknown b"):
        load_weights(nn.Linear(3, 2), {"weight": torch.zeros(2, 3), "b": torch.zeros(2)}, source="")


def test_broken_and_missing_files_are_named(tmp_path):
    path = tmp_path / "net.pth"
    save_weights(nn.Linear(3, 2), path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"net\.pth: not a readable weights file"):
        read_state_dict(path)
    with pytest.raises(FileNotFoundError, match="no such weights file"):
        read_state_dict(tmp_path / "none.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="expected a state_dict"):
        read_state_dict(tmp_path / "list.pth")
