"""Predict images without labels, with networks whose records name their classes (--predict)."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from misc.cams import strided_cam
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.machine.facts import describe_machine
from misc.run import synthesis
from misc.run.log import logger
from misc.run.workers import Way, collect_images, run_images
from misc.settings.config import Config
from misc.train.inference import (
    LoadedScales,
    detect_objects,
    found_classes,
    load_image,
    load_scales,
    scale_maps,
    segment_images,
)
from misc.train.networks import classifier, load_irnet, load_network
from misc.view.predictions import Predictions, claim, open_predictions, summarise
from net.deeplab import deeplab_of
from net.mask_rcnn import mask_rcnn_of


def run(config: Config) -> None:
    """Write what --predict_network predicts for the images of --predict to --predict_dir.

    Raises:
        ValueError: images cannot be read; those that can are predicted before.
    """
    compute = compute_of(config)
    predictions = open_predictions(config)
    logger.info("on %s", describe_machine(compute))
    ranks.on_first(partial(claim, config, predictions, precision=compute.precision))
    ids = list(predictions.names)
    found = collect_images(
        ids,
        predictions.problem,
        outputs=predictions.outputs,
        num_workers=compute.num_workers,
        description="reading",
    )
    broken = {image_id: problem for image_id, problem in found if problem}
    for problem in broken.values():
        logger.warning("%s; it is left out", problem)
    good = [image_id for image_id in ids if image_id not in broken]
    predict = {"mask_rcnn": detect, "deeplab": segment, "irn": synthesise}[config.predict_network]
    predict(config, predictions, good, compute=compute)
    summarise(predictions, good, num_workers=compute.num_workers)
    if broken:
        raise ValueError(
            f"--predict {config.predict}: {len(broken)} of {len(ids)} images cannot be read and "
            f"are left out, as said above; the results of the others are in {predictions.folder}"
        )


def detect(
    config: Config, predictions: Predictions, ids: Sequence[str], *, compute: Compute
) -> None:
    """Write the detections of Mask R-CNN."""
    model = mask_rcnn_of(config, len(predictions.class_names))
    model = _loaded(model, config, "mask_rcnn", compute)

    # Not by the pool: the masks of large images take gigabytes on their way to it.
    def process(image_id: str, image: torch.Tensor) -> None:
        predictions.write(image_id, None, detect_objects(model, compute, image))

    run_images(
        ids,
        partial(load_image, predictions),
        process=process,
        outputs=predictions.outputs,
        num_workers=compute.num_workers,
        description="predict",
    )


def segment(
    config: Config, predictions: Predictions, ids: Sequence[str], *, compute: Compute
) -> None:
    """Write the labels of DeepLab."""
    model = deeplab_of(config, len(predictions.class_names))
    segment_images(
        _loaded(model, config, "deeplab", compute),
        predictions,
        ids,
        scales=config.deeplab_scales,
        crf=config.crf if config.deeplab_crf else None,
        compute=compute,
        outputs=predictions.outputs,
        write=predictions.write,
    )


def synthesise(
    config: Config, predictions: Predictions, ids: Sequence[str], *, compute: Compute
) -> None:
    """Write the pseudo labels of the classes that the classification network finds."""
    num_classes = len(predictions.class_names)
    net, cam = (
        _loaded(classifier(config, num_classes, form), config, "cam", compute)
        for form in ("Net", "CAM")
    )
    irnet = load_irnet(config, compute)
    settings = [synthesis.label_settings_from(config, kind) for kind in ("instance", "semantic")]

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, (image, *scaled) = loaded
        keys = found_classes(net, image, least=config.predict_score, compute=compute)
        maps = scale_maps(cam, scaled, keys=keys, compute=compute)
        inputs = synthesis.Inputs(image=image, cam=strided_cam(maps, size), keys=keys)
        fields = synthesis.apply_irnet(irnet, compute, image)
        write = partial(_write_pseudo_labels, predictions, image_id)
        yield from synthesis.synthesise(fields, inputs, settings, finish=write)

    run_images(
        ids,
        partial(load_scales, predictions, (1.0, *config.cam_scales)),
        process=process,
        outputs=predictions.outputs,
        num_workers=compute.num_workers,
        description="predict",
    )


def _loaded(model: nn.Module, config: Config, network: str, compute: Compute) -> Any:
    flag = f"{network}_weights_name"
    path = vars(config)[flag]
    return load_network(model, path, flag=flag, stage=f"train_{network}", compute=compute)


def _write_pseudo_labels(
    predictions: Predictions, image_id: str, labels: Iterator[synthesis.Label]
) -> None:
    found, label = labels
    assert isinstance(found, dict)
    assert not isinstance(label, dict)
    predictions.write(image_id, label, found)
