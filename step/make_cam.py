"""Compute class attention maps with the trained network of --cam_method (METHOD section 2)."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from misc.files.cam_files import read_cams, write_cams, write_published_cams
from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.results import claim_outputs
from misc.run.stage import StageFiles
from misc.run.workers import Way, run_images
from misc.settings.config import Config
from misc.train.amn_maps import write_amn_cams
from misc.train.inference import LoadedScales, load_scales
from net.build import check_networks, open_maps

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Write to --cam_out_dir the CAMs of every image that a later stage of this run needs."""
    compute = compute_of(config)
    find_maps = open_maps(config, len(dataset.class_names), compute)
    stage = StageFiles("make_cam", config, dataset)
    ids = stage.images
    more = ["{}.npy"] * (config.cam_format == "npy")
    outputs = claim_outputs(stage, ids, more_files=more)
    is_amn = config.cam_method == "amn"

    def process(image_id: str, loaded: tuple[LoadedScales, np.ndarray]) -> Way:
        (size, images), keys = loaded
        maps = [scale.cpu().numpy() for scale in find_maps(images, keys=keys)]
        own = partial(write_amn_cams, config.amn_label_dir, image_id) if is_amn else write_cams
        yield partial(write, outputs(image_id), own, keys=keys, maps=maps, size=size)

    run_images(
        ids,
        partial(load, dataset, config.cam_scales),
        process=process,
        outputs=outputs,
        compute=compute,
        description="make_cam",
    )


def load(
    dataset: Dataset, scales: Sequence[float], image_id: str
) -> tuple[LoadedScales, np.ndarray]:
    """Read an image at each scale, and the classes of its image-level label, int64 (K,)."""
    keys = np.array(sorted(set(dataset.classes(image_id))), np.int64)
    return load_scales(dataset, scales, image_id), keys


def write(paths: Sequence[Path], write_own: Callable[..., None], **cams: Any) -> None:
    """Write an image's CAMs: our file and, where there are two paths, the published program's."""
    own, *others = paths
    write_own(own, **cams)
    for path in others:
        write_published_cams(path, read_cams(own, size=cams["size"]))
