"""The evaluation of a network that was trained on the labels (METHOD section 9)."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from misc.evaluate.evaluation import Found
from misc.evaluate.measures import record_measures
from misc.files.dataset import Dataset
from misc.files.digests import fingerprint
from misc.machine import ranks
from misc.machine.device import compute_of
from misc.run.log import logger
from misc.run.records import read_note, remove_recorded
from misc.run.results import claim_outputs
from misc.run.stage import StageFiles, label_source_path
from misc.settings.config import Config
from misc.train.training import IMAGES
from net.build import open_network


def evaluate_network(
    config: Config,
    dataset: Dataset,
    network: str,
    *,
    predict: Callable[[Any, Sequence[str], Path], None],
    measure: Callable[..., Found],
    pack: Callable[[Path, Sequence[str]], Path | None],
    packed: Sequence[str],
) -> None:
    """Predict and measure val_list with the network of each --supervision; pack its server list.

    Args:
        config: the settings.
        dataset: the data set.
        network: `mask_rcnn` or `deeplab`, with which its settings begin.
        predict: writes the predictions of a network on images to a folder.
        measure: as `measure_instances` and `measure_semantic_labels`.
        pack: the data set's, for its evaluation server.
        packed: the files that it writes; see misc.files.outputs.
    """
    stage, values = StageFiles(f"eval_{network}", config, dataset), vars(config)
    classes = len(dataset.class_names)
    for name in config.supervision:
        weights = label_source_path(values[f"{network}_weights_name"], name)
        model = open_network(config, network, classes, compute_of(config), weights=weights)
        trained = {f"{network}_weights_name": f"a file of SHA-256 {fingerprint(weights)}"}
        claim = partial(claim_outputs, stage, extra=trained)
        folder = label_source_path(values[f"{network}_out_dir"], name)
        ids = dataset.split(config.val_list)
        claim(ids, folder=folder)
        predict(model, ids, folder)
        if truth_ids := stage.measured_images():
            warn_of_seen(weights, dataset, truth_ids, source=f"--val_list {config.val_list}")
            found = measure(dataset, truth_ids, folder, num_workers=config.num_workers)
            record_measures(stage, *found, supervision=name)
        if server_list := values[f"{network}_server_list"]:
            folder = label_source_path(values[f"{network}_server_dir"], name)
            ids = dataset.split(server_list)
            claim(ids, folder=folder, more_files=packed)
            predict(model, ids, folder)
            remove_recorded(folder, packed)
            made = ranks.on_first(partial(pack, folder, ids))
            logger.info("for the evaluation server: %s", made or f"the predictions in {folder}")


def warn_of_seen(weights: Path, dataset: Dataset, ids: Sequence[str], *, source: str) -> None:
    """Warn in one line of a list's images that the network was trained on, where it is known."""
    known = read_note(weights, IMAGES) or {}
    seen = [i for i in ids if i in known and known[i] == dataset.image_facts(i)]
    if seen:
        logger.warning(
            "%d of %d images of %s were trained on (%s): the measures are not of unseen images",
            *(len(seen), len(ids), source, weights),
        )
