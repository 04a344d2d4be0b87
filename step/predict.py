"""Predict images without labels, with networks whose records name their classes (--predict)."""

from collections.abc import Iterator, Sequence
from functools import partial

from torch import nn

from misc.cams import strided_cam
from misc.machine import ranks
from misc.machine.device import Compute, compute_of, describe_machine
from misc.run.log import logger
from misc.run.synthesis import (
    Inputs,
    Label,
    LabelSettings,
    apply_irnet,
    label_settings_from,
    synthesise,
)
from misc.run.workers import Way, run_images
from misc.settings.config import Config
from misc.train.inference import (
    LoadedScales,
    detect_images,
    found_classes,
    load_scales,
    segment_images,
)
from misc.view.predictions import Predictions, claim, open_predictions, summarise
from net.build import FindMaps, open_maps, open_network


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
    found = run_images(
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
    num_classes = len(predictions.class_names)
    if config.predict_network == "mask_rcnn":
        detect_images(
            open_network(config, "mask_rcnn", num_classes, compute),
            predictions,
            good,
            use=lambda image_id, found: predictions.write(image_id, None, found),
            outputs=predictions.outputs,
            compute=compute,
            description="predict",
        )
    elif config.predict_network == "deeplab":
        segment_images(
            open_network(config, "deeplab", num_classes, compute),
            predictions,
            good,
            scales=config.deeplab_scales,
            crf=config.crf if config.deeplab_crf else None,
            use=predictions.write,
            outputs=predictions.outputs,
            compute=compute,
            description="predict",
        )
    else:
        label_images(
            open_network(config, "cam", num_classes, compute, for_training=True),
            open_maps(config, num_classes, compute),
            open_network(config, "irn", num_classes, compute),
            predictions,
            good,
            scales=config.cam_scales,
            least=config.predict_score,
            settings=[label_settings_from(config, kind) for kind in ("instance", "semantic")],
            compute=compute,
        )
    summarise(predictions, good, num_workers=compute.num_workers)
    if broken:
        raise ValueError(
            f"--predict {config.predict}: {len(broken)} of {len(ids)} images cannot be read and "
            f"are left out, as said above; the results of the others are in {predictions.folder}"
        )


def label_images(
    net: nn.Module,
    find_maps: FindMaps,
    irnet: nn.Module,
    predictions: Predictions,
    ids: Sequence[str],
    *,
    scales: Sequence[float],
    least: float,
    settings: Sequence[LabelSettings],
    compute: Compute,
) -> None:
    """Write the pseudo labels of the classes that the classification network finds.

    Args:
        net: the classification network.
        find_maps: makes the maps, see `open_maps`.
        irnet: IRNet in its inference form.
        predictions: has the images, and takes the labels.
        ids: the images.
        scales: of the CAMs.
        least: the least probability of a class that is found.
        settings: of an instance label and a semantic label.
        compute: device and precision.
    """

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, (image, *scaled) = loaded
        keys = found_classes(net, image, least=least, compute=compute)
        maps = find_maps(scaled, keys=keys)
        inputs = Inputs(image=image, cam=strided_cam(maps, size), keys=keys)
        fields = apply_irnet(irnet, compute, image)
        write = partial(_write_labels, predictions, image_id)
        yield from synthesise(fields, inputs, settings, finish=write)

    run_images(
        ids,
        partial(load_scales, predictions, (1.0, *scales)),
        process=process,
        outputs=predictions.outputs,
        compute=compute,
        description="predict",
    )


def _write_labels(predictions: Predictions, image_id: str, labels: Iterator[Label]) -> None:
    found, label = labels
    assert isinstance(found, dict)
    assert not isinstance(label, dict)
    predictions.write(image_id, label, found)
