"""How long `python run_sample.py --help` takes."""

import subprocess
import sys

from benchmarks.harness import Row, interleaved


def rows(*, full: bool = False) -> list[Row]:
    """Measure the command line's start-up."""
    command = [sys.executable, "run_sample.py", "--help"]
    (seconds,) = interleaved(lambda: subprocess.run(command, check=True, capture_output=True))
    return [Row(what="`run_sample.py --help`", goal="≤ 1.5 s", seconds=seconds, met=seconds <= 1.5)]
