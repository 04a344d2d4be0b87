import sys
import types

from misc.train.curves import TrainingCurve, read_curves


def test_a_resumed_training_goes_on_from_its_step_whatever_was_reported_after(tmp_path):
    curve = TrainingCurve(tmp_path / "c")
    curve.add(50, {"loss": 0.5})
    curve.add(60, {"loss": 9.0})
    with curve.path.open("a") as file:
        file.write('{"step": 70, "lo')
    assert read_curves(tmp_path / "c") == {"loss": ([50, 60], [0.5, 9.0])}
    TrainingCurve(tmp_path / "c", start=50).add(60, {"loss": 0.25})
    assert read_curves(tmp_path / "c") == {"loss": ([50, 60], [0.5, 0.25])}


def test_tensorboard_gets_every_value_where_it_is_installed(tmp_path, monkeypatch):
    scalars, folders = [], []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            folders.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            scalars.append((name, value, step))

        def flush(self):
            pass

    module = types.SimpleNamespace(SummaryWriter=SummaryWriter)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    curve = TrainingCurve(tmp_path / "c", start=4, tensorboard=tmp_path / "board")
    curve.add(5, {"pos": 1.0, "neg": 2.0})
    assert scalars == [("pos", 1.0, 5), ("neg", 2.0, 5)]
    assert folders == [(str(tmp_path / "board"), 5)]
    assert read_curves(tmp_path / "c")["pos"] == ([5], [1.0])
