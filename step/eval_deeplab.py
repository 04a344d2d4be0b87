"""Evaluate DeepLab on val_list, and pack its labels for the server (METHOD section 9)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from misc.evaluate.evaluation import measure_semantic_labels
from misc.evaluate.networks import evaluate_network
from misc.files.dataset import ARCHIVE, Dataset
from misc.files.labels import semantic_paths, write_semantic_label
from misc.machine.device import compute_of
from misc.settings.config import Config
from misc.train.inference import segment_images
from net.build import check_networks

check = check_networks


def run(config: Config, dataset: Dataset) -> None:
    """Predict and evaluate val_list for each --supervision; pack --deeplab_server_list."""

    def predict(model: nn.Module, ids: Sequence[str], folder: Path) -> None:
        segment_images(
            model,
            dataset,
            ids,
            scales=config.deeplab_scales,
            crf=config.crf if config.deeplab_crf else None,
            use=partial(write_semantic_label, folder, palette=dataset.palette),
            compute=compute_of(config),
            description="deeplab",
            outputs=partial(semantic_paths, folder),
        )

    evaluate_network(
        config,
        dataset,
        "deeplab",
        predict=predict,
        measure=measure_semantic_labels,
        pack=dataset.pack,
        packed=(ARCHIVE,),
    )
