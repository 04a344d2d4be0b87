"""Compute class attention maps with the trained classification network (METHOD section 2)."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from misc.files.cam_files import write_cams
from misc.files.dataset import Dataset
from misc.machine.device import compute_of
from misc.run.open_dataset import image_labels
from misc.run.results import claim_outputs
from misc.run.workers import Way, run_images
from misc.settings.config import Config
from misc.train.inference import LoadedScales, load_scales, scale_maps
from misc.train.networks import check_weights, load_network
from net.map_net import cam_form_from


def run(config: Config, dataset: Dataset) -> None:
    """Write to --cam_out_dir the CAMs of every image that a later stage of this run needs."""
    compute = compute_of(config)
    model = cam_form_from(config, len(dataset.class_names))
    model = load_network(model, config.cam_method, config.map_weights, compute)
    ids = images_needed(config, dataset)
    outputs = claim_outputs(config, dataset, "make_cam", ids)
    keys = image_labels(dataset, ids)

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, images = loaded
        found = scale_maps(model, images, keys=keys[image_id], compute=compute)
        maps = [scale.cpu().numpy() for scale in found]
        (path,) = outputs(image_id)
        yield partial(write_cams, path, keys=keys[image_id], maps=maps, size=size)

    run_images(
        ids,
        partial(load_scales, dataset, config.cam_scales),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        description="make_cam",
    )


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights; see `check_weights`."""
    build = partial(cam_form_from, config, len(dataset.class_names))
    check_weights(build, config.cam_method, [config.map_weights], coming)


def images_needed(config: Config, dataset: Dataset) -> list[str]:
    """Return the images whose CAMs later stages of this run read, each once."""
    lists = [config.train_list, config.infer_list]
    if config.runs_stage("eval_cam_pass"):
        lists.append(config.chainer_eval_set)
    return list(dict.fromkeys(image_id for name in lists for image_id in dataset.split(name)))
