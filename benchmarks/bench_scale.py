"""What 120,000 images cost before the first of them is computed, on a tree laid out like COCO.

Each start is a process of its own, so that its memory is its own.
"""

import io
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

from benchmarks.harness import Row, in_fresh_process
from coco.categories import CATEGORY_IDS
from misc.run.open_dataset import open_dataset
from misc.run.preflight import check_inputs
from misc.run.stage import chosen_stages
from misc.settings.config import Config
from misc.settings.flags import read_config
from net.resnet50_cam import Net
from step import make_cam, train_cam

IMAGES, VALIDATED = 120_000, 1_000
ANNOTATIONS = 7  # an image, as COCO has
POINTS = 30  # a polygon, so that the JSON is as long as COCO's
GOALS = {"first start": 60, "second start": 5, "resume of a half-done make_cam": 10}
MEGABYTES = 1500


class Reached(Exception):
    """The first image or the first step would be computed now."""


def rows(*, full: bool = False) -> list[Row]:
    """Measure the first start, the second, and a resume."""
    with tempfile.TemporaryDirectory() as folder:
        make_tree(Path(folder))
        found = {what: json.loads(in_fresh_process(__name__, folder, what)) for what in GOALS}
        size = (Path(folder) / "coco/annotations/instances_train2017.json").stat().st_size
    return [
        Row(
            what=f"{what}, {IMAGES:,} images, {IMAGES * ANNOTATIONS:,} annotations",
            goal=f"≤ {GOALS[what]} s up to the first image, peak ≤ {MEGABYTES / 1000} GB",
            seconds=measured["processor"],
            peak_mb=measured["mb"],
            met=measured["processor"] <= GOALS[what] and measured["mb"] <= MEGABYTES,
            note=f"processor seconds, {measured['seconds']:.0f} s by the clock; JSON of "
            f"{size / 1e6:.0f} MB; MB with Python and torch, imported before",
        )
        for what, measured in found.items()
    ]


def make_tree(folder: Path) -> None:
    """Make the photographs, one small file each, their annotations, and weights."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(buffer, format="JPEG")
    for split, first, count in (("train", 0, IMAGES), ("val", IMAGES, VALIDATED)):
        place = folder / "coco" / f"{split}2017"
        place.mkdir(parents=True)
        for number in range(first, first + count):
            (place / f"{number:012d}.jpg").write_bytes(buffer.getvalue())
        path = folder / "coco" / "annotations" / f"instances_{split}2017.json"
        path.parent.mkdir(exist_ok=True)
        with path.open("w") as file:
            file.writelines(json_text(first, count))
    (folder / "run" / "sess").mkdir(parents=True)
    torch.save(Net(80).state_dict(), folder / "weights.pth")


def json_text(first: int, count: int) -> Iterator[str]:
    """Yield the text of an instances JSON, annotations of an image apart from each other."""
    rng = np.random.default_rng(0)
    polygons = [json.dumps((rng.random(2 * POINTS) * 40).round(2).tolist()) for _ in range(1000)]
    yield '{"info": {}, "images": ['
    for number in range(first, first + count):
        comma = ", " if number > first else ""
        yield f'{comma}{{"file_name": "{number:012d}.jpg", "height": 48, "width": 64, '
        yield f'"id": {number}}}'
    yield '], "annotations": ['
    for number in range(count * ANNOTATIONS):
        comma = ", " if number else ""
        image, category = first + number % count, CATEGORY_IDS[number * 7919 % 80]
        yield f'{comma}{{"segmentation": [{polygons[number % 1000]}], "area": 700.5, "iscrowd": 0, '
        yield f'"image_id": {image}, "bbox": [0, 0, 40, 40], "category_id": {category}, '
        yield f'"id": {number + 1}}}'
    yield '], "categories": []}'


def config_of(folder: Path, words: str = "") -> Config:
    """Return the settings of a run on the tree, with ResNet-50 from scratch."""
    return read_config(
        f"--preset coco17 --data_root {folder}/coco --run_dir {folder}/run --pretrained none "
        f"--device cpu --num_workers 2 {words}".split()
    )


def start(folder: Path) -> None:
    """Check all that a run of all stages reads, and begin the first training."""
    config = config_of(folder)
    dataset = open_dataset(config)
    check_inputs(chosen_stages(config, dataset))
    with mock.patch.object(train_cam, "train", side_effect=Reached):
        train_cam.run(config, dataset)


def resume(folder: Path) -> None:
    """Begin make_cam where half of the images have their CAMs."""
    config = config_of(folder, f"--make_cam_pass --cam_weights_name {folder}/weights.pth")
    dataset = open_dataset(config)
    check_inputs(chosen_stages(config, dataset))
    with mock.patch("net.build.scale_maps", side_effect=Reached):
        make_cam.run(config, dataset)


def half_done(folder: Path) -> None:
    """Leave what a run of make_cam leaves that is killed halfway."""
    run = Path(config_of(folder).cam_out_dir)
    shutil.rmtree(run, ignore_errors=True)
    until(resume, folder)
    for number in range(IMAGES // 2):
        (run / f"{number:012d}.npz").write_bytes(b"")


def until(part: Callable[[Path], None], folder: Path) -> float:
    """Return the seconds of a part up to the first image."""
    begin = time.perf_counter()
    try:
        part(folder)
    except Reached:
        return time.perf_counter() - begin
    raise AssertionError("it never came to an image")


def main(folder: Path, what: str) -> None:
    """Print the seconds and the peak memory of one start, this process's or a loader's."""
    if what.startswith("resume"):
        child = os.fork()
        if not child:
            half_done(folder)
            os._exit(0)
        os.waitpid(child, 0)
    begin = time.process_time()
    seconds = until(resume if what.startswith("resume") else start, folder)
    processor = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": seconds, "processor": processor, "mb": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
