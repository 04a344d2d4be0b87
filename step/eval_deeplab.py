"""Evaluate DeepLab on val_list, and pack its labels for the server (METHOD section 9)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from misc.crf import crf_inference_probabilities
from misc.files.atomic import atomic_path
from misc.files.labels import SEMANTIC_FILES, semantic_paths, write_semantic_label
from misc.learning.networks import deeplab_backbone
from misc.learning.samples import LoadedScales, load_scales
from misc.learning.supervision import evaluation_plan, read_trained, supervised_path, trained_with
from misc.learning.validation import probabilities
from misc.looking.legend import class_entries, write_legend
from misc.machine import ranks
from misc.machine.device import Compute, compute_of
from misc.measuring.details import Confusions, network_details, semantic_details, write_details
from misc.measuring.evaluation import count_image
from misc.measuring.measures import record_measures
from misc.metrics import mean_iou
from misc.running.dataset import ARCHIVE, Dataset
from misc.running.log import logger
from misc.running.open_dataset import open_dataset
from misc.running.plan import Plan, crf_modules
from misc.running.pool import Way
from misc.running.provenance import claim_folder, remove_outputs
from misc.running.shaped import shaped_by
from misc.running.workers import collect_images, run_images
from misc.settings.config import Config
from net.deeplab import DeepLab

SCORES = "scores/{}.npz"
FILES = (*SEMANTIC_FILES, SCORES)  # in their folders; {} is an image's id
_STEPS = 65535


def run(config: Config) -> None:
    """Predict and evaluate val_list for each --supervision; pack --deeplab_server_list."""
    dataset = open_dataset(config)
    ids = dataset.split(config.val_list)
    compute = compute_of(config)
    for name in config.supervision:
        weights = supervised_path(config.deeplab_weights_name, name)
        model = DeepLab(len(dataset.class_names) + 1, backbone=deeplab_backbone(config))
        source = f"--deeplab_weights_name {weights}"
        model.load_published(read_trained(weights, "deeplab"), source=source)
        model = compute.place(model).eval()
        trained = trained_with(weights, "deeplab_weights_name")
        settings = shaped_by(config, dataset, "eval_deeplab", extra=trained)
        claim = partial(claim_folder, settings=settings, overwrite=config.overwrite)

        folder = supervised_path(config.deeplab_out_dir, name)
        claim(folder, files=FILES, images=ids)
        label_images(config, model, dataset, ids, folder, compute=compute)
        counts = count_images(dataset, ids, folder, num_workers=config.num_workers)
        ranks.on_first(partial(write_measures, config, dataset, name, folder, counts))
        if config.deeplab_server_list:
            folder = supervised_path(config.deeplab_server_dir, name)
            listed = dataset.split(config.deeplab_server_list)
            claim(folder, files=(*FILES, ARCHIVE), images=listed)
            label_images(config, model, dataset, listed, folder, compute=compute)
            archive = ranks.on_first(partial(dataset.pack, folder, listed))
            logger.info("for the evaluation server: %s", archive or f"the labels in {folder}")


def plan(config: Config, dataset: Dataset) -> Plan:
    """Return what is read and written."""
    planned = evaluation_plan(config, dataset, "deeplab", SEMANTIC_FILES[0])
    return replace(planned, modules=crf_modules(config)) if config.deeplab_crf else planned


def label_images(
    config: Config,
    model: nn.Module,
    dataset: Dataset,
    ids: Sequence[str],
    folder: Path,
    *,
    compute: Compute,
) -> None:
    """Label images in two passes: the network on the device, then the CRF in the workers.

    In between, an image's probabilities are kept on disk, on the stride-4 grid.
    """
    scores = folder / "scores"
    crf = config.crf if config.deeplab_crf else None

    def process(image_id: str, loaded: LoadedScales) -> Way:
        size, images = loaded
        grid = tuple((side - 1) // 4 + 1 for side in size)
        found = probabilities(model, images, grid, compute)
        steps = (found * _STEPS).round().cpu().numpy().astype(np.uint16)
        yield partial(write_scores, scores / f"{image_id}.npz", steps)

    def outputs(image_id: str) -> list[Path]:
        final, _ = semantic_paths(folder, image_id)
        return [final if final.is_file() else scores / f"{image_id}.npz"]

    run_images(
        ids,
        partial(load_scales, dataset, config.deeplab_scales),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        device=compute.device,
        description="deeplab",
    )
    run_images(
        ids,
        partial(write_final_label, dataset, folder, scores, crf),
        outputs=lambda image_id: semantic_paths(folder, image_id)[:1],
        num_workers=compute.num_workers,
        description="deeplab labels",
    )
    ranks.on_first(partial(remove_outputs, folder, [SCORES], ids))


def write_scores(path: Path, steps: np.ndarray) -> None:
    """Write probabilities, uint16 (L, h, w) in 65535 steps."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, steps=steps)


def read_scores(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """Read probabilities and upsample them to the image's (H, W): float32 (L, H, W).

    Raises:
        ValueError: the file is broken.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            small = torch.from_numpy(stored["steps"].astype(np.float32) / _STEPS)
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything on a broken file
        raise ValueError(f"{path}: not readable ({error}); delete it to make it again") from error
    return F.interpolate(small[None], size, mode="bilinear", align_corners=False)[0].numpy()


def write_final_label(
    dataset: Dataset, folder: Path, scores: Path, crf: str | None, image_id: str
) -> None:
    """Compute an image's label from its probabilities, which are then deleted."""
    image, path = dataset.image(image_id), scores / f"{image_id}.npz"
    found = read_scores(path, image.shape[:2])
    if crf:
        found = crf_inference_probabilities(image, found, backend=crf)
    label = found.argmax(axis=0).astype(np.uint8)
    write_semantic_label(folder, image_id, label, palette=dataset.palette)
    path.unlink(missing_ok=True)


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
    folder: Path,
    counts: Confusions,
) -> None:
    """Write the measures of all images' confusions, and the legend of their labels."""
    write_legend(folder, class_entries(dataset.class_names, dataset.palette))
    details, split = semantic_details(counts), config.val_list
    write_details(config, network_details("eval_deeplab", supervision), details, split=split)
    found = {"mIoU": float(mean_iou(np.array(details["confusion"])))}
    record_measures(config, dataset, "eval_deeplab", found, split=split, supervision=supervision)
