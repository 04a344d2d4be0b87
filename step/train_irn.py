"""Train IRNet: boundaries and displacements from relation labels (METHOD section 4)."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.images import read_label
from misc.files.labels import label_path
from misc.imutils import normalize_crop
from misc.indexing import PathIndex
from misc.learning.checkpoints import finish
from misc.learning.networks import (
    WEIGHTS_BYTES,
    backbone_need,
    load_backbone,
    load_network,
    network_module,
)
from misc.learning.samples import RelationSamples, top_left_crop
from misc.learning.stages import fill_batch, is_trained, learn
from misc.learning.training import Schedule, make_optimizer
from misc.learning.weights import save_weights
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.open_dataset import open_dataset
from misc.running.plan import Plan, made_by
from misc.running.provenance import read_note, write_note
from misc.running.shaped import shaped_by
from misc.running.workers import collect_images
from misc.settings.config import Config

TERM_WEIGHTS = {"pos": 0.5, "neg": 0.5, "dp_fg": 0.5, "dp_bg": 0.5}
# The displacement branch's learning rate over the boundary branch's. Under AdamW, which scales each
# step by itself, the deeper displacement branch needs the smaller one.
RATE_FACTORS = {"sgd": 10.0, "adamw": 0.1}
# Of the weights only the stored mean displacement depends on --infer_list: it is noted apart.
MEAN = "mean_displacement"
SHAPED_BY = (
    "seed",
    "precision",
    "pretrained",
    "train_list",
    "ir_label_out_dir",
    "irn_network",
    "irn_crop_size",
    "irn_radius",
    "irn_batch_size",
    "irn_num_epoches",
    "irn_learning_rate",
    "irn_weight_decay",
    "irn_momentum",
    "irn_optimizer",
    "irn_warmup_steps",
)


def run(config: Config) -> None:
    """Train on train_list's relation labels, set the mean displacement, write the weights."""
    dataset = open_dataset(config)
    ids, infer_ids = dataset.split(config.train_list), dataset.split(config.infer_list)
    check_labels(config.ir_label_out_dir, ids)
    weights = Path(config.irn_weights_name)
    config = fill_batch(config, "irn_batch_size", len(ids))
    backbone = ("cam_weights_name",) if config.pretrained == "none" else ()
    settings = shaped_by(config, dataset, "train_irn", *SHAPED_BY, *backbone, ids=ids)
    mean_of = shaped_by(config, dataset, MEAN, "infer_list", ids=infer_ids)[MEAN]
    compute = compute_of(config)
    if is_trained(config, weights, settings):
        if read_note(weights, MEAN) != mean_of:
            renew_mean(config, dataset, infer_ids, weights, mean_of, compute=compute)
        return

    torch.manual_seed(config.seed)
    model = compute.place(build_network(config))
    samples = RelationSamples(
        ids=ids,
        read_image=dataset.image,
        read_label=partial(_read_relation_label, config.ir_label_out_dir),
        crop_size=config.irn_crop_size,
    )
    learn(
        config,
        model,
        make_optimizer(
            config.irn_optimizer,
            model.trainable_parameters(),
            rate=config.irn_learning_rate,
            factors=RATE_FACTORS,
            momentum=config.irn_momentum,
            weight_decay=config.irn_weight_decay,
        ),
        samples,
        partial(relation_losses, model),
        schedule=Schedule(
            epochs=config.irn_num_epoches,
            batch_size=config.irn_batch_size,
            warmup_steps=config.irn_warmup_steps,
        ),
        term_weights=TERM_WEIGHTS,
        weights=weights,
        name="train_irn",
    )
    set_mean(model.eval(), dataset, infer_ids, crop_size=config.irn_crop_size, compute=compute)
    # Noted first: existing weights are always those that the note describes.
    write_note(weights, MEAN, mean_of)
    finish(model, weights)


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    ids = dataset.split(config.train_list)
    labels = [label_path(config.ir_label_out_dir, image_id) for image_id in ids]
    needs = [made_by("ir_label_out_dir", "cam_to_ir_label", labels, read_label)]
    return Plan(
        images=[*ids, *dataset.split(config.infer_list)],
        needs=needs + backbone_need(config),
        writes=[Path(config.irn_weights_name)],
        bytes_each=WEIGHTS_BYTES,
    )


def build_network(config: Config) -> Any:
    """Build IRNet in its training form, with its backbone's weights."""
    model = untrained_network(config)
    load_backbone(model.resnet50, config)
    return model


def relation_losses(model: Any, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the four losses of a batch of `RelationSamples`."""
    crop, extent, label = batch
    losses: dict[str, torch.Tensor] = model(normalize_crop(crop, extent), label)
    return losses


def untrained_network(config: Config) -> Any:
    """Build IRNet in its training form, with random weights."""
    module = network_module(config.irn_network, "irn_network", "AffinityDisplacementLoss")
    grid = config.irn_crop_size // 4
    return module.AffinityDisplacementLoss(PathIndex(config.irn_radius, (grid, grid)))


def renew_mean(
    config: Config,
    dataset: Dataset,
    infer_ids: Sequence[str],
    weights: Path,
    mean_of: dict[str, Any],
    *,
    compute: Compute,
) -> None:
    """Set the mean displacement of trained weights for another --infer_list, without training.

    Killed at any moment, the same command ends with the same file: while the weights may have
    either mean, there is no note.
    """
    logger.info(
        "%s: only the stored mean displacement is computed again, for --infer_list %s",
        weights,
        config.infer_list,
    )
    model = load_network(
        untrained_network(config),
        str(weights),
        flag="irn_weights_name",
        stage="train_irn",
        compute=compute,
    )
    set_mean(model, dataset, infer_ids, crop_size=config.irn_crop_size, compute=compute)
    write_note(weights, MEAN, None)
    ranks.on_first(partial(save_weights, model, weights))
    write_note(weights, MEAN, mean_of)


def set_mean(
    model: Any,
    dataset: Dataset,
    ids: Sequence[str],
    *,
    crop_size: int,
    compute: Compute,
) -> None:
    """Store the mean displacement over images in a network in eval mode."""
    model.mean_shift.running_mean.zero_()
    model.mean_shift.running_mean.copy_(
        mean_displacement(
            lambda image: model.displacement(model.features(image)),
            dataset,
            ids,
            crop_size=crop_size,
            compute=compute,
        )
    )


def check_labels(label_dir: str, ids: Sequence[str]) -> None:
    """Raise FileNotFoundError, naming the stage that makes them, if a relation label is missing."""
    missing = [image_id for image_id in ids if not label_path(label_dir, image_id).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{label_path(label_dir, missing[0])}: no relation label for {len(missing)} of "
            f"{len(ids)} images; the stage cam_to_ir_label makes them: --cam_to_ir_label_pass True"
        )


def mean_displacement(
    displacement: Callable[[torch.Tensor], torch.Tensor],
    dataset: Dataset,
    ids: Sequence[str],
    *,
    crop_size: int,
    compute: Compute,
) -> torch.Tensor:
    """Compute the mean displacement over images, each a top left crop with its zero padding.

    Args:
        displacement: maps (1, 3, crop, crop) to displacements (1, 2, crop/4, crop/4).
        dataset: has the images.
        ids: the images.
        crop_size: side of the crop, pixels.
        compute: device, precision and loader processes.

    Returns:
        (2,), mean dy and dx in stride-4 pixels.
    """

    def process(image_id: str, loaded: Sequence[torch.Tensor]) -> torch.Tensor:
        with torch.inference_mode(), compute.autocast():
            image = normalize_crop(*compute.put(loaded))
            return displacement(image[None]).float().mean(dim=(0, 2, 3)).cpu()

    means = collect_images(
        ids,
        partial(_load_crop, dataset, crop_size),
        process=process,
        num_workers=compute.num_workers,
        device=compute.device,
        description="mean displacement",
    )
    return torch.stack(means).mean(dim=0)


def _load_crop(
    dataset: Dataset, crop_size: int, image_id: str
) -> tuple[torch.Tensor, torch.Tensor]:
    return top_left_crop(dataset.image(image_id), crop_size)


def _read_relation_label(label_dir: str, image_id: str) -> np.ndarray:
    return read_label(label_path(label_dir, image_id))
