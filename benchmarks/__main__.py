"""Run the benchmarks, print their rows and write RESULTS.md: `python -m benchmarks [--full]`."""

import argparse
import importlib
from pathlib import Path

from benchmarks.harness import Row, machine, markdown
from misc.run.log import table

MODULES = (
    "bench_walk",
    "bench_centroids",
    "bench_labels",
    "bench_crf",
    "bench_loss",
    "bench_files",
    "bench_make_cam",
    "bench_fused",
    "bench_workers",
    "bench_precision",
    "bench_loaders",
    "bench_scale",
    "bench_sweep",
    "bench_help",
)
TRAIN_AUG = 10_582
# Passes of each stage over an image, with the published settings.
PASSES = {
    "train_cam": 5,
    "make_cam": 1,
    "cam_to_ir_label": 1,
    "train_irn": 3,
    "make_ins_seg + make_sem_seg": 1,
}


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
        page = f"# Measured\n\nMachine: {machine()}.\n\n{markdown(rows)}\n\n{whole_run(rows)}\n"
        Path(__file__).with_name("RESULTS.md").write_text(page)


def whole_run(rows: list[Row]) -> str:
    """Return the time breakdown of a run on train_aug, from the measured times per image."""
    measured = {stage: s for row in rows for stage, s in row.seconds_an_image.items()}
    cells = [("stage", "images", "passes", "seconds an image", "hours")]
    total = 0.0
    for stage, passes in PASSES.items():
        hours = TRAIN_AUG * passes * measured[stage] / 3600
        total += hours
        cells.append(
            (stage, f"{TRAIN_AUG:,}", f"{passes}", f"{measured[stage]:.3f}", f"{hours:.1f}")
        )
    cells.append(("all", "", "", "", f"{total:.1f}"))
    return (
        "## Where the time of a run on train_aug goes\n\n"
        "Computed from the parts measured above, on this machine, float32, labels for all 10,582 "
        "images. The published program's log says 2 h 18 min on 3 GPUs, with labels for 1,464 "
        "images only.\n\n" + table(cells)
    )


if __name__ == "__main__":
    main()
