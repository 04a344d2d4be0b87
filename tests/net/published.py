"""Weights in the form of the published files: random values under the published names."""

import json
from pathlib import Path

import torch

FOLDER = Path(__file__).parent


def names(network):
    """Give the published names and shapes of `cam` or `irn`."""
    return json.loads((FOLDER / f"published_{network}_names.json").read_text())


def state_dict(network, seed=0):
    """Make a whole state_dict, its aliases and buffers included, as the published program's."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in names(network).items():
        values = torch.randn(shape, generator=generator) * 0.05
        state[name] = values.abs() + 0.5 if "running_var" in name else values
    state["stage1.0.weight"] = state["resnet50.conv1.weight"]
    state["backbone.0.0.weight"] = state["resnet50.conv1.weight"]
    if network == "cam":
        state["newly_added.0.weight"] = state["classifier.weight"]
    else:
        state["mean_shift.running_mean"] = state["fc_dp7.4.running_mean"]
        state["edge_layers.0.0.weight"] = state["fc_edge1.0.weight"]
        state["dp_layers.0.0.weight"] = state["fc_dp1.0.weight"]
        state["path_indices_0"] = torch.zeros(3, 4, dtype=torch.int64)
        state["disp_target"] = torch.zeros(1, 2, 152, 1)
    return state
