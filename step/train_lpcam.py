"""Find LPCAM's prototypes in the features of the training images (METHOD section 2)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from misc.cams import high_res_cam
from misc.files.dataset import Dataset
from misc.files.weights import read_tensors, save_tensors
from misc.lpcam import cluster, prototype_weight, split_features
from misc.machine import ranks
from misc.run.workers import run_images
from misc.settings.config import Config
from misc.train.inference import LoadedScales, apply_to_image, load_scales, scale_maps
from misc.train.training import Training, claim_training
from net.build import begin_network, check_networks, open_network

VECTORS = 300  # at most so many of each pool of an image

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Find the prototypes of each class in images of train_list; write --lpcam_weights_name."""
    ids, classes = dataset.split(config.train_list), len(dataset.class_names)
    training = claim_training(config, dataset, "lpcam", ids)
    if training.is_finished:
        return
    model = begin_network(config, "lpcam", classes, training.compute)
    classifier = model.net.classifier.weight.detach().flatten(1).cpu()
    cam = open_network(config, "cam", classes, training.compute)
    labels = ranks.on_first(lambda: dataset.image_labels(ids))
    checkpoint = training.checkpoint
    rows = ranks.on_first(lambda: read_tensors(checkpoint) if checkpoint.is_file() else [])
    for label in range(len(rows), classes):
        rng = np.random.default_rng([config.seed, label])
        chosen = rng.permutation(np.flatnonzero(labels[:, label]))[: config.lpcam_images]
        pools = class_pools(
            training,
            cam,
            dataset,
            [ids[number] for number in sorted(chosen)],
            label,
            scales=config.cam_scales,
            threshold=config.lpcam_cam_thres,
        )
        foreground, context = (cluster(pool, config.lpcam_clusters, rng) for pool in pools)
        row = prototype_weight(
            foreground,
            context,
            classifier,
            label,
            between=config.lpcam_context_prob,
        )
        rows.append(row)
        ranks.on_first(partial(save_tensors, rows, checkpoint))
    model.matrix.weight.data.copy_(torch.stack(rows)[..., None, None])
    training.save(model)


def class_pools(
    training: Training,
    model: Any,
    dataset: Dataset,
    ids: Sequence[str],
    label: int,
    *,
    scales: Sequence[float],
    threshold: float,
) -> list[torch.Tensor]:
    """Draw features of a class, (N, D), and of its context, (M, D), from images that show it.

    `model` is the CAM form of the classification network, the threshold one of CAMs in [0, 1].
    """
    compute = training.compute

    def process(image_id: str, loaded: LoadedScales) -> list[torch.Tensor]:
        size, (image, *scaled) = loaded
        maps = scale_maps(model, scaled, keys=np.array([label]), compute=compute)
        features = apply_to_image(model.features, image, compute)
        rng = np.random.default_rng([training.seed, label, ids.index(image_id)])
        return [
            pool[torch.from_numpy(rng.permutation(len(pool))[:VECTORS])].cpu()
            for pool in split_features(features, high_res_cam(maps, size)[0], threshold)
        ]

    found = run_images(
        ids,
        partial(load_scales, dataset, (1.0, *scales)),
        process=process,
        compute=compute,
        description=f"prototypes of {dataset.class_names[label]}",
    )
    nothing = [torch.zeros(0, model.classifier.weight.shape[1])] * 2
    return [torch.cat(pools) for pools in zip(nothing, *found, strict=True)]
