"""Training curves: one JSON line per report, beside the weights; optionally TensorBoard's, too."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from misc.files.atomic import write_bytes

Curves = dict[str, tuple[list[int], list[float]]]


class TrainingCurve:
    """Appends what a training reports to a file, and to TensorBoard's event files in a folder.

    Reports after step `start`, at which the training begins or is resumed, are dropped.
    """

    def __init__(self, path: Path, *, start: int = 0, tensorboard: Path | None = None) -> None:
        self.path, self.board = path, None
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(tensorboard), purge_step=start + 1)
        kept = [json.dumps(line) + "\n" for line in _read_lines(path) if line["step"] <= start]
        write_bytes(path, "".join(kept).encode())

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

    A truncated line is left out. Empty where there is no file.
    """
    curves: Curves = {}
    for line in _read_lines(Path(path)):
        step = line.pop("step")
        for name, value in line.items():
            steps, values = curves.setdefault(name, ([], []))
            steps.append(step)
            values.append(value)
    return curves


def curve_path(weights: str | os.PathLike[str]) -> Path:
    """Return the path of the curves of the training that made a weights file."""
    path = Path(weights)
    return path.with_name(f"{path.name}.curve.jsonl")


def _read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # it was cut off
            lines.append(json.loads(line))
    return lines
