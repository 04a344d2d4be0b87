"""Evaluate Mask R-CNN on val_list (METHOD sections 8 and 9)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from misc.evaluate.evaluation import measure_instances
from misc.evaluate.networks import evaluate_network
from misc.files.dataset import Dataset
from misc.files.labels import SURE, instance_paths, write_instances
from misc.machine.device import compute_of
from misc.settings.config import Config
from misc.train.inference import detect_images
from net.build import check_networks

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Detect on and evaluate val_list for each --supervision; pack --mask_rcnn_server_list."""

    def predict(model: nn.Module, ids: Sequence[str], folder: Path) -> None:
        detect_images(
            model,
            dataset,
            ids,
            use=partial(write_instances, folder, least_score=SURE),
            compute=compute_of(config),
            description="detect",
            outputs=partial(instance_paths, folder),
        )

    evaluate_network(
        config,
        dataset,
        "mask_rcnn",
        predict=predict,
        measure=partial(measure_instances, with_coco=True),
        pack=dataset.pack_instances,
        packed=dataset.packed_instances,
    )
