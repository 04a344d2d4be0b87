"""Run the benchmarks, print their rows and write RESULTS.md: `python -m benchmarks [--full]`."""

import argparse
import importlib
from pathlib import Path

from benchmarks.harness import Row, machine, markdown

MODULES = (
    "bench_walk",
    "bench_centroids",
    "bench_labels",
    "bench_crf",
    "bench_loss",
    "bench_files",
    "bench_make_cam",
    "bench_loaders",
    "bench_help",
)


def main() -> None:
    """Measure every row, or those of the modules that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(MODULES)}; all by default")
    parser.add_argument("--full", action="store_true", help="the dense walk at full size too")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.modules or MODULES:
        module = importlib.import_module(f"benchmarks.{name}")
        found = module.rows(full=arguments.full)
        print(markdown(found), flush=True)
        rows += found
    if not arguments.modules:
        heading = f"# Measured\n\nMachine: {machine()}\n\n"
        Path(__file__).with_name("RESULTS.md").write_text(heading + markdown(rows) + "\n")


if __name__ == "__main__":
    main()
