"""The evaluation of a network that was trained on the labels (METHOD section 9)."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.files.dataset import Dataset
from misc.machine import ranks
from misc.machine.device import compute_of
from misc.run.log import logger
from misc.run.open_dataset import evaluated_images
from misc.run.records import remove_recorded
from misc.run.stage import label_source_path
from misc.settings.config import Config
from misc.train.networks import check_weights, load_network
from misc.train.records import claim_predictions, warn_of_seen


def evaluate_network(
    config: Config,
    dataset: Dataset,
    network: str,
    *,
    build: Callable[[], Any],
    predict: Callable[[Any, Sequence[str], Path], None],
    measure: Callable[..., None],
    kind: str,
    pack: Callable[[Path, Sequence[str]], Path | None],
    packed: Sequence[str],
) -> None:
    """Predict and measure val_list with the network of each --supervision; pack its server list.

    Args:
        config: the settings.
        dataset: the data set.
        network: `mask_rcnn` or `deeplab`, with which its settings begin.
        build: returns the network, to load weights into.
        predict: writes the predictions of a network on images to a folder.
        measure: as `measure_instances` and `measure_semantic_labels`.
        kind: of the ground truth.
        pack: the data set's, for its evaluation server.
        packed: the files that it writes; see misc.files.outputs.
    """
    stage, values = f"eval_{network}", vars(config)
    for name in config.supervision:
        weights = label_source_path(values[f"{network}_weights_name"], name)
        model = load_network(
            build(),
            weights,
            flag=f"{network}_weights_name",
            stage=f"train_{network}",
            compute=compute_of(config),
        )
        folder = label_source_path(values[f"{network}_out_dir"], name)
        ids = dataset.split(config.val_list)
        claim_predictions(config, dataset, network, weights, folder, ids)
        predict(model, ids, folder)
        truth_ids = evaluated_images(config, dataset, (kind,), stage=stage, flag="val_list")
        if truth_ids:
            warn_of_seen(weights, dataset, truth_ids, source=f"--val_list {config.val_list}")
            measure(config, dataset, stage, truth_ids, folder, flag="val_list", supervision=name)
        if server_list := values[f"{network}_server_list"]:
            folder = label_source_path(values[f"{network}_server_dir"], name)
            ids = dataset.split(server_list)
            claim_predictions(config, dataset, network, weights, folder, ids, packed)
            predict(model, ids, folder)
            remove_recorded(folder, packed)
            made = ranks.on_first(partial(pack, folder, ids))
            logger.info("for the evaluation server: %s", made or f"the predictions in {folder}")


def check_trained(
    config: Config, network: str, build: Callable[[], Any], coming: Collection[Path]
) -> None:
    """Check the weights of each --supervision; see `check_weights`."""
    flag = f"{network}_weights_name"
    paths = [label_source_path(vars(config)[flag], name) for name in config.supervision]
    check_weights(build, flag, paths, coming)
