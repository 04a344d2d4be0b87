"""Train IRNet: boundaries and displacements from relation labels (METHOD section 4)."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.affinity import LOSS_WEIGHTS
from misc.files.dataset import Dataset
from misc.files.images import read_label
from misc.files.labels import label_path
from misc.imutils import normalize_crop
from misc.indexing import PathIndex
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.run.log import logger
from misc.run.records import read_note, write_note
from misc.run.shaped import shaped_by
from misc.settings.config import Config
from misc.train.networks import (
    check_backbone,
    load_backbone,
    make_network,
)
from misc.train.samples import RelationSamples
from misc.train.stages import train_network
from misc.train.validation import measure_crops
from misc.train.weights import read_state_dict, save_weights

# The displacement branch's learning rate over the boundary branch's. Under AdamW, which scales each
# step by itself, the deeper displacement branch needs the smaller one.
RATE_FACTORS = {"sgd": 10.0, "adamw": 0.1}
# Of the weights only the stored mean displacement depends on --infer_list: it is noted apart.
MEAN = "mean_displacement"


def run(config: Config, dataset: Dataset) -> None:
    """Train on train_list's relation labels, set the mean displacement, write the weights."""
    ids, infer_ids = dataset.split(config.train_list), dataset.split(config.infer_list)
    check_labels(config.ir_label_out_dir, ids)
    weights, compute = Path(config.irn_weights_name), compute_of(config)
    mean_of = shaped_by(config, dataset, MEAN, "infer_list", ids=infer_ids)[MEAN]
    mean_over = partial(
        set_mean, dataset=dataset, ids=infer_ids, crop_size=config.irn_crop_size, compute=compute
    )

    def complete(model: Any) -> None:
        mean_over(model.eval())
        # Noted first: existing weights are always those that the note describes.
        write_note(weights, MEAN, mean_of)

    is_new = train_network(
        config,
        dataset,
        "irn",
        ids,
        weights=weights,
        build=partial(build_network, config),
        samples=lambda: RelationSamples(
            ids=ids,
            read_image=dataset.image,
            read_label=partial(_read_relation_label, config.ir_label_out_dir),
            crop_size=config.irn_crop_size,
        ),
        losses=relation_losses,
        factors=RATE_FACTORS,
        term_weights=LOSS_WEIGHTS,
        complete=complete,
    )
    if not is_new and ranks.on_first(partial(read_note, weights, MEAN)) != mean_of:
        renew_mean(config, weights, mean_of, mean_over=mean_over, compute=compute)


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the network, and the weights that it begins with; see `check_backbone`."""
    build = partial(untrained_network, config)
    check_backbone(build, "resnet50", config, len(dataset.class_names), config.backbone, coming)


def build_network(config: Config) -> Any:
    """Build IRNet in its training form, with its backbone's weights."""
    model = untrained_network(config)
    load_backbone(model.resnet50, config, name=config.backbone)
    return model


def relation_losses(model: Any, batch: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Compute the four losses of a batch of `RelationSamples`."""
    crop, extent, label = batch
    losses: dict[str, torch.Tensor] = model(normalize_crop(crop, extent), label)
    return losses


def untrained_network(config: Config) -> Any:
    """Build IRNet in its training form, with random weights."""
    grid = config.irn_crop_size // 4
    path_index = PathIndex(config.irn_radius, (grid, grid))
    return make_network(
        "irn_network",
        config.irn_network,
        "AffinityDisplacementLoss",
        path_index,
        backbone=config.backbone,
    )


def renew_mean(
    config: Config,
    weights: Path,
    mean_of: dict[str, Any],
    *,
    mean_over: Callable[[Any], None],
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
    model = untrained_network(config)
    model.load_published(read_state_dict(weights), source=f"--irn_weights_name {weights}")
    mean_over(compute.place(model).eval())
    write_note(weights, MEAN, None)
    ranks.on_first(partial(save_weights, model, weights))
    write_note(weights, MEAN, mean_of)


def set_mean(
    model: Any, dataset: Dataset, ids: Sequence[str], *, crop_size: int, compute: Compute
) -> None:
    """Store the mean displacement over images in a network in eval mode.

    It is the mean dy and dx, stride-4 pixels, over top left crops with their zero padding.
    """
    model.mean_shift.running_mean.zero_()
    model.mean_shift.running_mean.copy_(
        measure_crops(
            lambda image: model.displacement(model.features(image)),
            lambda _, displacement: displacement.mean(dim=(0, 2, 3)),
            dataset,
            ids,
            crop_size=crop_size,
            compute=compute,
            description="mean displacement",
        ).mean(dim=0)
    )


def check_labels(label_dir: str, ids: Sequence[str]) -> None:
    """Raise FileNotFoundError, naming the stage that makes them, if a relation label is missing."""
    missing = [image_id for image_id in ids if not label_path(label_dir, image_id).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{label_path(label_dir, missing[0])}: no relation label for {len(missing)} of "
            f"{len(ids)} images; the stage cam_to_ir_label makes them: --cam_to_ir_label_pass True"
        )


def _read_relation_label(label_dir: str, image_id: str) -> np.ndarray:
    return read_label(label_path(label_dir, image_id))
