"""Code that a flag names shapes results by its source, the program's own is told of."""

import json
import shutil

import pytest

import run_sample
from tests import forked

NETWORK = """
from tests.tiny_networks import CAM, EdgeDisplacement, Net
from tests.tiny_networks import AffinityDisplacementLoss as Base
from {losses} import SCALE


class AffinityDisplacementLoss(Base):
    def forward(self, *arguments):
        losses = super().forward(*arguments)
        return {{name: SCALE * loss for name, loss in losses.items()}}
"""
SHORT = {"cam_num_epoches": 1, "irn_num_epoches": 1}
STAGES = ("train_cam", "make_cam", "cam_to_ir_label", "train_irn")


def run(folder, *stages, **changes):
    words = [word for stage in stages for word in (f"--{stage}_pass", "True")]
    return run_sample.main(forked.arguments(folder, *words, **SHORT, **changes))


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """Give a module of networks, and a package of them, whose losses are in a file beside it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "plugged_network.py").write_text(NETWORK.format(losses="plugged_losses"))
    (tmp_path / "plugged_losses.py").write_text("SCALE = 1\n")
    package = tmp_path / "plugged_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "network.py").write_text(NETWORK.format(losses=".inner.losses"))
    (package / "inner").mkdir()
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "losses.py").write_text("SCALE = 1\n")
    return {
        "plugged_network": tmp_path / "plugged_losses.py",
        "plugged_package.network": package / "inner/losses.py",
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "run"
    assert run(folder, *STAGES[:-1]) == 0
    return folder


@pytest.mark.parametrize("module", ["plugged_network", "plugged_package.network"])
def test_another_loss_of_a_network_that_a_flag_names_is_another_training(
    made, plugged, module, tmp_path, capsys
):
    shutil.copytree(made, tmp_path / "run")
    changes = {"irn_network": module}
    assert run(tmp_path / "run", "train_irn", **changes) == 0
    (tmp_path / "unrelated.py").write_text("SCALE = 3\n")
    assert run(tmp_path / "run", "train_irn", **changes) == 0
    assert "is already trained" in capsys.readouterr().out
    plugged[module].write_text("SCALE = 100\n")
    assert run(tmp_path / "run", "train_irn", **changes) == 2
    assert f"--irn_network of train_irn was {module}, source " in capsys.readouterr().err
    assert run(tmp_path / "run", "train_irn", "make_cam", **changes, overwrite=True) == 0


def test_another_source_of_a_data_set_that_a_flag_names_is_another_training(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "plugged_data.py"
    path.write_text("from tests.own_dataset import Dataset, from_config\n")
    changes = {"dataset": "plugged_data", "pretrained": "none"}
    assert run(tmp_path / "run", "train_cam", **changes) == 0
    assert run(tmp_path / "run", "train_cam", **changes) == 0
    assert "is already trained" in capsys.readouterr().out
    path.write_text(path.read_text() + "Dataset.mean = 1\n")
    assert run(tmp_path / "run", "train_cam", **changes) == 2
    assert "--dataset of train_cam was plugged_data, source " in capsys.readouterr().err


def test_results_of_other_code_of_the_program_are_told_in_one_line_and_used(made, tmp_path, capsys):
    shutil.copytree(made, tmp_path / "run")
    record = next((tmp_path / "run").rglob("res50_cam.pth.json"))
    content = json.loads(record.read_text())
    content["code"] |= {"net/resnet50_cam.py": "another", "misc/gone.py": "gone"}
    record.write_text(json.dumps(content))
    assert run(tmp_path / "run", "train_cam") == 0
    said = capsys.readouterr().out
    assert said.count("made with other code (misc/gone.py, net/resnet50_cam.py)") == 1
    assert "is already trained" in said
