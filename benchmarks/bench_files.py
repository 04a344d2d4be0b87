"""The size of CAM files, and their error when read back."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import Row
from benchmarks.scenes import SIZE, blobs
from misc.cams import combine_scales
from misc.files.cam_files import read_cams, write_cams

SCALES = (1.0, 0.5, 1.5, 2.0)


def rows(*, full: bool = False) -> list[Row]:
    """Measure the file of an image with three classes, twice VOC's average."""
    grids = [tuple(-(-round(side * s) // 16) for side in SIZE) for s in SCALES]
    maps = [torch.from_numpy(np.stack([15 * blobs(h, w, k) for k in range(3)])) for h, w in grids]
    cam, high_res = combine_scales(maps, SIZE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cam.npz"
        write_cams(path, keys=np.arange(3), maps=[m.numpy() for m in maps], size=SIZE)
        read, size = read_cams(path), path.stat().st_size
    error = max(
        float(np.abs(read.cam - cam.numpy()).max()),
        float(np.abs(read.high_res - high_res.numpy()).max()),
    )
    return [
        Row(
            what="CAM file, 3 classes at 375×500",
            goal="≤ 60 KB, error ≤ 2e-3",
            error=error,
            met=size <= 60_000 and error <= 2e-3,
            note=f"{size / 1000:.1f} KB; high_res takes {high_res.numel() * 4 / 1e6:.1f} MB",
        )
    ]
