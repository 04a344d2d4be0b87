"""Evaluate DeepLab on val_list, and pack its labels for the server (METHOD section 9)."""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from misc.evaluate.details import Confusions, network_details, semantic_details, write_details
from misc.evaluate.evaluation import count_image
from misc.evaluate.measures import record_measures
from misc.files.dataset import ARCHIVE, Dataset
from misc.files.labels import SEMANTIC_FILES, semantic_paths, write_semantic_label
from misc.files.palette import class_entries, write_legend
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.metrics import mean_iou
from misc.run.ground_truth import images_with_ground_truth
from misc.run.log import logger
from misc.run.provenance import claim_folder
from misc.run.shaped import shaped_by
from misc.run.stage import supervised_path
from misc.run.workers import collect_images
from misc.settings.config import Config
from misc.train.networks import check_weights, for_inference
from misc.train.seen import warn_of_seen
from misc.train.segmenting import segment_images
from misc.train.supervision import read_trained, trained_with
from net.deeplab import deeplab_of


def run(config: Config, dataset: Dataset) -> None:
    """Predict and evaluate val_list for each --supervision; pack --deeplab_server_list."""
    ids = dataset.split(config.val_list)
    compute = compute_of(config)
    for name in config.supervision:
        weights = supervised_path(config.deeplab_weights_name, name)
        model = deeplab_of(config, len(dataset.class_names))
        source = f"--deeplab_weights_name {weights}"
        model.load_published(read_trained(weights, "deeplab"), source=source)
        model = for_inference(model, compute)
        trained = trained_with(weights, "deeplab_weights_name")
        settings = shaped_by(config, dataset, "eval_deeplab", extra=trained)
        claim = partial(claim_folder, settings=settings, overwrite=config.overwrite)

        folder = supervised_path(config.deeplab_out_dir, name)
        claim(folder, files=SEMANTIC_FILES, images=ids)
        label_images(config, model, dataset, ids, folder, compute=compute)
        entries = class_entries(dataset.class_names, dataset.palette)
        ranks.on_first(partial(write_legend, folder, entries))
        source = f"--val_list {config.val_list}"
        if truth_ids := images_with_ground_truth(
            dataset, ids, ("semantic",), stage="eval_deeplab", source=source
        ):
            warn_of_seen(weights, dataset, truth_ids, source=source)
            counts = count_images(dataset, truth_ids, folder, num_workers=config.num_workers)
            ranks.on_first(partial(write_measures, config, dataset, name, counts))
        if config.deeplab_server_list:
            folder = supervised_path(config.deeplab_server_dir, name)
            listed = dataset.split(config.deeplab_server_list)
            claim(folder, files=(*SEMANTIC_FILES, ARCHIVE), images=listed)
            label_images(config, model, dataset, listed, folder, compute=compute)
            archive = ranks.on_first(partial(dataset.pack, folder, listed))
            logger.info("for the evaluation server: %s", archive or f"the labels in {folder}")


def check(config: Config, dataset: Dataset, coming: Collection[Path]) -> None:
    """Check the weights of each --supervision; see `check_weights`."""
    build = partial(deeplab_of, config, len(dataset.class_names))
    paths = [supervised_path(config.deeplab_weights_name, name) for name in config.supervision]
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


def count_images(
    dataset: Dataset, ids: Sequence[str], folder: Path, *, num_workers: int
) -> Confusions:
    """Compute the confusions of the images' labels in a folder, on all ranks."""
    mine = Confusions.of(len(dataset.class_names) + 1)
    ious = collect_images(
        ids,
        partial(count_image, dataset, folder),
        process=mine.add,
        num_workers=num_workers,
        description="eval_deeplab",
    )
    total = np.sum(ranks.gather([mine.total]), axis=0)
    return Confusions(total, dict(zip(ids, ious, strict=True)))


def write_measures(
    config: Config,
    dataset: Dataset,
    supervision: str,
    counts: Confusions,
) -> None:
    """Write the measures of all images' confusions."""
    details, split = semantic_details(counts), config.val_list
    write_details(config, network_details("eval_deeplab", supervision), details, split=split)
    found = {"mIoU": float(mean_iou(np.array(details["confusion"])))}
    record_measures(config, dataset, "eval_deeplab", found, split=split, supervision=supervision)
