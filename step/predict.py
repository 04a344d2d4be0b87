"""Predict images without labels, with networks whose records name their classes (--predict)."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from misc.cams import strided_cam
from misc.files.atomic import write_bytes, write_json
from misc.files.coco import Described, coco_dataset
from misc.files.digests import content_digest, fingerprint
from misc.files.labels import LEAST_SCORE, SURE
from misc.files.palette import class_entries, object_entries, write_legend
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.machine.facts import describe_machine
from misc.run import synthesis
from misc.run.label_synthesis import load_irnet
from misc.run.log import logger
from misc.run.photographs import Photographs, photographs_in
from misc.run.predictions import COCO, PAGE, Predictions
from misc.run.provenance import PREDICTION, claim_folder, hold_sources
from misc.run.workers import Way, collect_images, map_images, run_images
from misc.settings.config import Config
from misc.settings.flags import resolved
from misc.settings.metadata import PREDICTS, read_metadata, settings_in_use
from misc.train.class_maps import found_classes, scale_maps
from misc.train.networks import classifier, load_network
from misc.train.samples import LoadedScales, load_scales
from misc.train.segmenting import segment_images
from misc.train.validation import detect_objects, load_image
from misc.view.gallery import choose_images
from misc.view.report import fill_page, gallery, page_image
from net.deeplab import deeplab_of
from net.mask_rcnn import mask_rcnn_of

TITLES = {
    "mask_rcnn": "Mask R-CNN",
    "deeplab": "DeepLab",
    "irn": "pseudo labels, no trained detector's",
}


def run(config: Config) -> None:
    """Write what --predict_network predicts for the images of --predict to --predict_dir.

    Raises:
        ValueError: images cannot be read; those that can are predicted before.
    """
    network, compute = config.predict_network, compute_of(config)
    predictions = open_predictions(config)
    logger.info("on %s", describe_machine(compute))
    ids = list(predictions.images.files)
    ranks.on_first(partial(claim, config, predictions, compute))
    broken = find_broken(predictions, ids, num_workers=compute.num_workers)
    for problem in broken.values():
        logger.warning("%s; it is left out", problem)
    good = [image_id for image_id in ids if image_id not in broken]
    predict = {"mask_rcnn": detect, "deeplab": segment, "irn": synthesise}[network]
    predict(config, predictions, good, compute=compute)
    summarise(config, predictions, good)
    if broken:
        raise ValueError(
            f"--predict {config.predict}: {len(broken)} of {len(ids)} images cannot be read and "
            f"are left out, as said above; the results of the others are in {predictions.folder}"
        )


def open_predictions(config: Config) -> Predictions:
    """Return the images of --predict, and the place of their predictions."""
    network = config.predict_network
    first = PREDICTS[network][0]
    weights = vars(config)[f"{first}_weights_name"]
    known = read_metadata(weights, first)
    files = photographs_in(config.predict or "", limit=config.limit)
    logger.info("%s: trained on %s, %d classes", weights, known.dataset, len(known.class_names))
    images = Photographs(
        folder=Path(config.predict or ""),
        files=files,
        class_names=known.class_names,
        category_ids=known.category_ids,
        palette=np.frombuffer(known.palette, np.uint8).reshape(256, 3),
        # Mask R-CNN resizes images itself, but draws its masks in the size of what it is given.
        long_side=(
            2 * config.mask_rcnn_max_size if network == "mask_rcnn" else config.predict_long_side
        ),
    )
    return Predictions(
        folder=Path(config.predict_dir) / network,
        images=images,
        title=TITLES[network],
        has_instances=network != "deeplab",
        least=SURE if network == "mask_rcnn" else 0.0,
    )


def claim(config: Config, predictions: Predictions, compute: Compute) -> None:
    """Claim the folder of the predictions of these images.

    Raises:
        ValueError: the folder has predictions of other settings, weights or images.
    """
    network, values = config.predict_network, resolved(config)
    names = [name for part in PREDICTS[network] for name in settings_in_use(part)]
    if network != "mask_rcnn":
        names.append("predict_long_side")
    if network == "irn":
        names.append("predict_score")
    own = {name: values[name] for name in names} | {"precision": compute.precision}
    ranks.on_first(
        lambda: hold_sources(values[f"{part}_weights_name"] for part in PREDICTS[network])
    )
    for part in PREDICTS[network]:
        flag = f"{part}_weights_name"
        own[flag] = f"a file of SHA-256 {fingerprint(values[flag])}"
    folder, files = predictions.folder, predictions.files
    stage = {f"{PREDICTION} {network}": own}
    images = predictions.images
    named = images.files.items()
    known = {i: f"{name}, digest {content_digest([images.folder / name])}" for i, name in named}
    claim_folder(folder, stage, files=files, images=known, overwrite=config.overwrite)
    write_legend(folder / "labels", class_entries(images.class_names, images.palette))
    if predictions.has_instances:
        write_legend(folder / "instances", object_entries())


def find_broken(
    predictions: Predictions, ids: Sequence[str], *, num_workers: int
) -> dict[str, str]:
    """Read all images that are not predicted yet; return for each that is broken, why."""
    found = collect_images(
        ids,
        partial(_problem, predictions.images),
        outputs=predictions.outputs,
        num_workers=num_workers,
        description="reading",
    )
    return {image_id: problem for image_id, problem in found if problem}


def detect(
    config: Config, predictions: Predictions, ids: Sequence[str], *, compute: Compute
) -> None:
    """Write the detections of Mask R-CNN."""
    model = mask_rcnn_of(config, len(predictions.images.class_names))
    model = _loaded(model, config, "mask_rcnn", compute)

    # Not by the pool: the masks of large images take gigabytes on their way to it.
    def process(image_id: str, image: torch.Tensor) -> None:
        predictions.write_instances(image_id, detect_objects(model, compute, image))

    run_images(
        ids,
        partial(load_image, predictions.images),
        process=process,
        outputs=predictions.outputs,
        num_workers=compute.num_workers,
        description="predict",
    )


def segment(
    config: Config, predictions: Predictions, ids: Sequence[str], *, compute: Compute
) -> None:
    """Write the labels of DeepLab."""
    model = deeplab_of(config, len(predictions.images.class_names))
    segment_images(
        _loaded(model, config, "deeplab", compute),
        predictions.images,
        ids,
        scales=config.deeplab_scales,
        crf=config.crf if config.deeplab_crf else None,
        compute=compute,
        outputs=predictions.outputs,
        write=predictions.write_label,
    )


def synthesise(
    config: Config, predictions: Predictions, ids: Sequence[str], *, compute: Compute
) -> None:
    """Write the pseudo labels of the classes that the classification network finds."""
    num_classes = len(predictions.images.class_names)
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
        yield from synthesis.synthesise(
            synthesis.apply_irnet(irnet, compute, image),
            strided_cam(maps, size),
            keys,
            size,
            image=image,
            settings=settings,
            finish=partial(_write_pseudo_labels, predictions, image_id),
        )

    run_images(
        ids,
        partial(load_scales, predictions.images, (1.0, *config.cam_scales)),
        process=process,
        outputs=predictions.outputs,
        num_workers=compute.num_workers,
        description="predict",
    )


def summarise(config: Config, predictions: Predictions, ids: Sequence[str]) -> None:
    """Write the COCO annotations of all images, and the page of some."""
    folder = predictions.folder
    if predictions.has_instances:
        found = collect_images(
            ids,
            predictions.records,
            num_workers=config.num_workers,
            description="annotations",
        )
        images = [Described(number, *each) for number, each in enumerate(found, start=1)]
        categories = dict(
            zip(predictions.images.category_ids, predictions.images.class_names, strict=True)
        )
        content = coco_dataset(images, categories, description=f"predictions: {predictions.title}")
        ranks.on_first(partial(write_json, folder / COCO, content))
    ranks.on_first(partial(write_page, config, predictions, ids))
    logger.info("%s: predictions of %d images; look at %s", folder, len(ids), folder / PAGE)


def write_page(config: Config, predictions: Predictions, ids: Sequence[str]) -> None:
    """Write the page with --report_images of the images, spread over all."""
    chosen = list(choose_images(ids, dict.fromkeys(ids, ()), {}, config.report_images))
    drawn = map_images(
        [image_id for image_id in ids if image_id in set(chosen)],
        partial(_page_entry, predictions),
        num_workers=config.num_workers,
        description="page",
    )
    page = fill_page(
        f"Predictions: {predictions.title}",
        f"{len(ids)} images; the overlays of all are in overlays/",
        {"Gallery": gallery(f"{len(chosen)} images, spread over all.")},
        [entry for _, entry in drawn],
    )
    write_bytes(predictions.folder / PAGE, page.encode())


def _problem(images: Photographs, image_id: str) -> tuple[str, str]:
    return image_id, images.problem(image_id)


def _loaded(model: nn.Module, config: Config, network: str, compute: Compute) -> Any:
    flag = f"{network}_weights_name"
    path = vars(config)[flag]
    return load_network(model, path, flag=flag, stage=f"train_{network}", compute=compute)


def _write_pseudo_labels(
    predictions: Predictions, image_id: str, labels: Iterator[synthesis.Label]
) -> None:
    instances, label = labels
    assert isinstance(instances, dict)
    assert isinstance(label, np.ndarray)
    whole = instances["score"] >= LEAST_SCORE
    found = {name: values[whole] for name, values in instances.items()}
    predictions.write_instances(image_id, found, label)


def _page_entry(predictions: Predictions, image_id: str) -> dict[str, Any]:
    image = predictions.images.whole_image(image_id)
    name = predictions.images.files[image_id]
    return page_image(name, image, predictions.layers(image_id))
