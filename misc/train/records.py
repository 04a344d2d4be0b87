"""What lies beside a network's weights: claimed before it is trained, read where it is used."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from misc.files.dataset import Dataset
from misc.files.digests import fingerprint
from misc.files.weights import save_weights
from misc.machine import ranks
from misc.run.log import logger
from misc.run.records import (
    Settings,
    checkpoint_path,
    claim_weights,
    confirm_weights,
    read_note,
)
from misc.run.results import claim_outputs, result_settings
from misc.settings.config import Config
from misc.settings.flags import resolved
from misc.settings.metadata import FIELD, describe
from misc.train.supervision import Supervision

IMAGES = "images"  # of the record: those that the network was trained on


def claim_training(
    config: Config,
    dataset: Dataset,
    network: str,
    ids: Sequence[str],
    weights: Path,
    supervision: Supervision | None = None,
) -> tuple[Settings, bool]:
    """Claim weights for a training on these images; return its settings, and whether it is done.

    The record beside it says what --predict needs of the network, and the images' file sizes:
    another folder may have images of the same names.
    """
    more, extra, truth = [], None, ""
    if supervision is not None:
        more, extra = supervision.settings(), {"supervision": supervision.name}
        truth = supervision.kind if supervision.name == "full" else ""
    if network != "cam" and config.pretrained == "none":
        more.append("cam_weights_name")  # the backbone is the classification network's
    stage = f"train_{network}"
    settings = result_settings(config, dataset, stage, *more, ids=ids, truth=truth, extra=extra)
    metadata = describe(
        network,
        resolved(config),
        dataset=dataset.name,
        class_names=dataset.class_names,
        category_ids=dataset.category_ids(),
        palette=dataset.palette.tobytes(),
    )
    notes = {FIELD: metadata, IMAGES: {image_id: _size(dataset, image_id) for image_id in ids}}
    is_trained = claim_weights(weights, settings, notes=notes, overwrite=config.overwrite)
    if is_trained:
        logger.info("%s is already trained with these settings", weights)
    return settings, is_trained


def save_training(model: nn.Module, weights: Path, settings: Settings) -> None:
    """Write the weights of a finished training and delete its checkpoint, on the first rank."""

    def write() -> None:
        confirm_weights(weights, settings)
        save_weights(model, weights)
        checkpoint_path(weights).unlink(missing_ok=True)

    ranks.on_first(write)


def claim_predictions(
    config: Config,
    dataset: Dataset,
    network: str,
    weights: Path,
    folder: Path,
    ids: Sequence[str],
    more_files: Sequence[str] = (),
) -> None:
    """Claim the folder of what a trained network predicts in its evaluation."""
    trained = {f"{network}_weights_name": f"a file of SHA-256 {fingerprint(weights)}"}
    stage = f"eval_{network}"
    claim_outputs(config, dataset, stage, ids, folder=folder, more_files=more_files, extra=trained)


def warn_of_seen(weights: Path, dataset: Dataset, ids: Sequence[str], *, source: str) -> None:
    """Warn in one line of a list's images that the network was trained on, where it is known."""
    known = read_note(weights, IMAGES) or {}
    seen = [i for i in ids if i in known and known[i] == _size(dataset, i)]
    if seen:
        logger.warning(
            "%d of %d images of %s were trained on (%s): the measures are not of unseen images",
            *(len(seen), len(ids), source, weights),
        )


def _size(dataset: Dataset, image_id: str) -> str:
    path = dataset.image_path(image_id)
    return f"{path.stat().st_size} bytes" if path.is_file() else ""
