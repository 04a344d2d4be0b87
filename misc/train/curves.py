"""Training curves: one JSON line per report, beside the weights; optionally TensorBoard's, too."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

Curves = dict[str, tuple[list[int], list[float]]]


class TrainingCurve:
    """Appends what a training reports to a file, and to TensorBoard's event files in a folder."""

    def __init__(
        self, path: Path, *, resumed: bool = False, tensorboard: Path | None = None
    ) -> None:
        self.path, self.board = path, None
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(tensorboard))
        path.parent.mkdir(parents=True, exist_ok=True)
        if not resumed:
            path.unlink(missing_ok=True)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values that are reported after a step."""
        # Appended and closed each time: whatever stops the run, all lines but the last are intact.
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)
            self.board.flush()


def read_curves(path: str | os.PathLike[str]) -> Curves:
    """Read a training's curves: for each name the steps, ascending, and its values.

    A resumed training reports some steps again; the last report of a step counts. A truncated
    line is left out. Empty where there is no file.
    """
    found: dict[str, dict[int, float]] = {}
    if Path(path).is_file():
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                continue
            step = int(values.pop("step"))
            for name, value in values.items():
                found.setdefault(name, {})[step] = float(value)
    return {
        name: (sorted(values), [values[step] for step in sorted(values)])
        for name, values in found.items()
    }


def curve_path(weights: str | os.PathLike[str]) -> Path:
    """Return the path of the curves of the training that made a weights file."""
    path = Path(weights)
    return path.with_name(f"{path.name}.curve.jsonl")
