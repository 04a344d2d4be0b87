"""Make class attention maps with the trained classification network (METHOD section 2)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

import voc12
from misc.cam_files import cam_path, write_cams
from misc.config import Config
from misc.imutils import normalize, rescale, with_mirror
from misc.plan import Plan, made_by
from misc.provenance import claim_folder
from misc.weights import read_state_dict
from misc.workers import run_images
from step.common import (
    compute_of,
    image_labels,
    load_network,
    network_module,
    open_dataset,
    shaped_by,
)

SHAPED_BY = ("precision", "cam_network", "cam_weights_name", "cam_scales")
FILES = ("{}.npz",)  # in --cam_out_dir; {} is an image's id

LoadedScales = tuple[tuple[int, int], list[np.ndarray]]


def run(config: Config) -> None:
    """Write the CAMs of every image that a later stage of this run needs to --cam_out_dir."""
    dataset = open_dataset(config)
    compute = compute_of(config)
    module = network_module(config.cam_network, "cam_network", "CAM")
    model = load_network(
        module.CAM(len(dataset.class_names)),
        config.cam_weights_name,
        flag="cam_weights_name",
        stage="train_cam",
        compute=compute,
    )
    ids = images_needed(config, dataset)
    claim_folder(
        config.cam_out_dir,
        shaped_by(config, "make_cam", *SHAPED_BY),
        files=FILES,
        images=ids,
        overwrite=config.overwrite,
    )
    keys = image_labels(dataset, ids)

    def process(image_id: str, loaded: LoadedScales) -> None:
        size, pairs = loaded
        with compute.autocast():
            maps = scale_maps(model, pairs, keys=keys[image_id], device=compute.device)
        write_cams(
            cam_path(config.cam_out_dir, image_id), keys=keys[image_id], maps=maps, size=size
        )

    run_images(
        ids,
        partial(load_scales, dataset, config.cam_scales),
        process=process,
        outputs=lambda image_id: [cam_path(config.cam_out_dir, image_id)],
        num_workers=compute.num_workers,
        description="make_cam",
    )


def plan(config: Config, dataset: voc12.Dataset) -> Plan:
    """Say what is read and written."""
    ids = images_needed(config, dataset)
    weights = [Path(config.cam_weights_name)]
    return Plan(
        images=ids,
        labelled=ids,
        needs=[made_by("cam_weights_name", "train_cam", weights, read_state_dict)],
        writes=[cam_path(config.cam_out_dir, image_id) for image_id in ids],
        bytes_each=25_000,
    )


def images_needed(config: Config, dataset: voc12.Dataset) -> list[str]:
    """List the images that later stages of this run read CAMs of, each once."""
    lists = [config.train_list, config.infer_list]
    if config.asked("eval_cam_pass"):
        lists.append(config.chainer_eval_set)
    return list(dict.fromkeys(image_id for name in lists for image_id in dataset.split(name)))


def load_scales(dataset: voc12.Dataset, scales: Sequence[float], image_id: str) -> LoadedScales:
    """Read an image: its (H, W), and at each scale the normalised image with its mirror."""
    image = dataset.image(image_id)
    return image.shape[:2], [with_mirror(normalize(rescale(image, scale))) for scale in scales]


@torch.inference_mode()
def scale_maps(
    model: torch.nn.Module,
    pairs: Sequence[np.ndarray | torch.Tensor],
    *,
    keys: np.ndarray,
    device: torch.device,
) -> list[torch.Tensor]:
    """Apply the network to an image at each scale, and keep the classes that the image has.

    Args:
        model: the CAM form of the classification network.
        pairs: for each scale the normalised image and its mirror, (2, 3, sH, sW).
        keys: the image's classes, 0-based (K,).
        device: where the model is.

    Returns:
        for each scale the raw maps, float32 (K, ⌈sH/16⌉, ⌈sW/16⌉).
    """
    index = torch.as_tensor(keys, device=device)
    return [model(torch.as_tensor(pair, device=device))[index].float() for pair in pairs]
