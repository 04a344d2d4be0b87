"""A tiny run of all stages in float32 makes the very bytes that it made before.

`python tests/test_same_results.py` writes the digests anew; a commit that does so says why.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parent.parent
DIGESTS = Path(__file__).with_name("same_results.json")
SETTINGS = {
    "backbone": "resnet18",
    "device": "cpu",
    "precision": "fp32",
    "num_workers": 0,
    "demo_train_images": 6,
    "demo_val_images": 2,
    "cam_num_epoches": 2,
    "irn_num_epoches": 2,
    "cam_batch_size": 3,
    "irn_batch_size": 3,
    "irn_learning_rate": 0.01,
    "cam_crop_size": 64,
    "irn_crop_size": 64,
    "irn_pad": 64,
    "irn_radius": 5,
    "cam_resize_long": "60,80",
    "cam_scales": "1.0,0.5",
    "small_displacement": 1.0,
    "ins_seg_bg_thres": 0.25,
    "sem_seg_bg_thres": 0.25,
    "mask_rcnn_steps": 2,
    "mask_rcnn_drops": "1",
    "mask_rcnn_batch_size": 2,
    "mask_rcnn_min_size": 64,
    "mask_rcnn_max_size": 96,
    "mask_rcnn_sampled_boxes": 8,
    "mask_rcnn_channels": 16,
    "mask_rcnn_eval_steps": 2,
    "deeplab_steps": 2,
    "deeplab_batch_size": 2,
    "deeplab_crop_size": 64,
    "deeplab_output_stride": 8,
    "deeplab_learning_rate": 0.0002,
    "deeplab_eval_steps": 2,
    "report_pass": "False",
}
# Every x86 processor computes the same with these, and without oneDNN, which looks at its caches.
PLAIN = {
    "OPENCV_IPP": "disabled",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
}
PROGRAM = """
import sys, torch
torch.backends.mkldnn.enabled = False
import demo.making
demo.making.SIZE = (144, 192)  # of the images that the digests are of
import run_sample
sys.exit(run_sample.main(sys.argv[1:]))
"""


def digest(arrays):
    """Compute a digest of arrays by name: their types, shapes and values."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:16]


def content(path):
    """Read the arrays in a result's file."""
    if path.suffix == ".pth":
        return {n: t.numpy() for n, t in torch.load(path, weights_only=True).items()}
    if path.suffix == ".npz":
        with np.load(path) as stored:
            return dict(stored)
    return {"pixels": cv2.imread(str(path), cv2.IMREAD_UNCHANGED)}


def run(folder):
    """Run all stages in a folder; return the digest of every result by its path."""
    words = [f"--{name}={value}" for name, value in SETTINGS.items()]
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "--run_dir", str(folder), *words],
        env={**os.environ, **PLAIN},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    results = [
        path
        for kind in ("cam", "ir_label", "ins_seg", "sem_seg", "mask_rcnn", "deeplab")
        for path in (folder / "result/demo" / kind).glob("*.*")
        if path.suffix in (".npz", ".png") and "legend" not in path.name
    ]
    results += (folder / "sess/demo").glob("*.pth")
    return {path.relative_to(folder).as_posix(): digest(content(path)) for path in sorted(results)}


def test_results_are_those_of_before(tmp_path):
    known = json.loads(DIGESTS.read_text())
    if torch.__version__.partition("+")[0] != known["torch"]:
        pytest.skip(f"the digests are of torch {known['torch']}")
    assert run(tmp_path) == known["digests"]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        found = {
            "torch": torch.__version__.partition("+")[0],
            "digests": run(Path(place)),
        }
    DIGESTS.write_text(json.dumps(found, indent=1) + "\n")
