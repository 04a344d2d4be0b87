"""Compute class attention maps with the trained classification network (METHOD section 2)."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files import published
from misc.files.cam_files import write_cams
from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.open_dataset import image_labels
from misc.run.results import claim_outputs
from misc.run.stage import StageFiles
from misc.run.workers import Way, run_images
from misc.settings.config import Config
from misc.train.inference import LoadedScales, load_scales
from net.build import check_networks, open_maps

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Write to --cam_out_dir the CAMs of every image that a later stage of this run needs."""
    compute = compute_of(config)
    find_maps = open_maps(config, len(dataset.class_names), compute)
    stage = StageFiles("make_cam", config, dataset)
    ids = stage.images
    more = [published.FILE] * (config.cam_format == "npy")
    outputs = claim_outputs(stage, ids, more_files=more)
    keys = image_labels(dataset, ids)

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, images = loaded
        maps = [scale.cpu().numpy() for scale in find_maps(images, keys=keys[image_id])]
        cams = {"keys": keys[image_id], "maps": maps, "size": size}
        yield partial(write, outputs(image_id), cams)

    run_images(
        ids,
        partial(load_scales, dataset, config.cam_scales),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        description="make_cam",
    )


def write(paths: Sequence[Path], cams: Mapping[str, Any]) -> None:
    """Write an image's CAMs: our file and, where there are two paths, the published program's."""
    own, *others = paths
    write_cams(own, **cams)
    for path in others:
        published.save_cams(path, **cams)
