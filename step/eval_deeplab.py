"""Evaluate DeepLab on val_list, and pack its labels for the server (METHOD section 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from torch import nn

from misc.evaluate.evaluation import measure_semantic_labels
from misc.files.dataset import ARCHIVE, Dataset
from misc.files.labels import semantic_paths, write_semantic_label
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.run.log import logger
from misc.run.open_dataset import evaluated_images
from misc.run.stage import label_source_path
from misc.settings.config import Config
from misc.train.inference import segment_images
from misc.train.networks import check_weights, load_network
from misc.train.records import claim_predictions, warn_of_seen
from net.deeplab import deeplab_of


def run(config: Config, dataset: Dataset) -> None:
    """Predict and evaluate val_list for each --supervision; pack --deeplab_server_list."""
    compute = compute_of(config)
    for name in config.supervision:
        weights = label_source_path(config.deeplab_weights_name, name)
        model = load_network(
            deeplab_of(config, len(dataset.class_names)),
            weights,
            flag="deeplab_weights_name",
            stage="train_deeplab",
            compute=compute,
        )
        claim = partial(claim_predictions, config, dataset, "deeplab", weights)

        folder, ids = (
            label_source_path(config.deeplab_out_dir, name),
            dataset.split(config.val_list),
        )
        claim(folder, ids)
        label_images(config, model, dataset, ids, folder, compute=compute)
        if truth_ids := evaluated_images(
            config, dataset, ("semantic",), stage="eval_deeplab", flag="val_list"
        ):
            warn_of_seen(weights, dataset, truth_ids, source=f"--val_list {config.val_list}")
            of = {"split": config.val_list, "supervision": name}
            measure_semantic_labels(config, dataset, "eval_deeplab", truth_ids, folder, **of)
        if config.deeplab_server_list:
            folder = label_source_path(config.deeplab_server_dir, name)
            listed = dataset.split(config.deeplab_server_list)
            claim(folder, listed, (ARCHIVE,))
            label_images(config, model, dataset, listed, folder, compute=compute)
            archive = ranks.on_first(partial(dataset.pack, folder, listed))
            logger.info("for the evaluation server: %s", archive or f"the labels in {folder}")


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights of each --supervision; see `check_weights`."""
    build = partial(deeplab_of, config, len(dataset.class_names))
    paths = [label_source_path(config.deeplab_weights_name, name) for name in config.supervision]
    check_weights(build, "deeplab_weights_name", paths, coming)


def label_images(
    config: Config,
    model: nn.Module,
    dataset: Dataset,
    ids: Sequence[str],
    folder: Path,
    *,
    compute: Compute,
) -> None:
    """Write the labels of images; see `segment_images`."""
    segment_images(
        model,
        dataset,
        ids,
        scales=config.deeplab_scales,
        crf=config.crf if config.deeplab_crf else None,
        compute=compute,
        outputs=partial(semantic_paths, folder),
        write=partial(write_semantic_label, folder, palette=dataset.palette),
    )
