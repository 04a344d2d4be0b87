"""The label stages: CAMs and IRNet's weights are read, and labels written.

Both kinds of label come from one forward pass where both are requested.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.files.labels import write_instances, write_semantic_label
from misc.imutils import planes
from misc.machine.device import compute_of
from misc.run.open_dataset import cam_folder
from misc.run.results import claim_outputs
from misc.run.synthesis import (
    Label,
    apply_irnet,
    label_settings_from,
    synthesise,
)
from misc.run.workers import Way, run_images
from misc.settings.config import Config

STAGES = {"instance": "make_ins_seg_labels", "semantic": "make_sem_seg_labels"}


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The inputs of one image.

    Attributes:
        image: uint8 (3, H, W).
        cam: float32 (K, h, w) on the stride-4 grid.
        keys: int64 (K,), the class of each map.
        size: (H, W).
    """

    image: torch.Tensor
    cam: torch.Tensor
    keys: np.ndarray
    size: tuple[int, int]


def make_labels(config: Config, dataset: Dataset, model: Any, *kinds: str) -> None:
    """Write the labels of every image of infer_list, of the kinds `instance` and `semantic`.

    `model` is IRNet in its inference form.
    """
    ids = dataset.split(config.infer_list)
    cams = cam_folder(config, dataset, ids)
    compute = compute_of(config)
    claimed = [claim_outputs(config, dataset, STAGES[kind], ids) for kind in kinds]
    settings = [label_settings_from(config, kind) for kind in kinds]
    folders = {"instance": config.ins_seg_out_dir, "semantic": config.sem_seg_out_dir}

    def outputs(image_id: str) -> list[Path]:
        return [path for of_kind in claimed for path in of_kind(image_id)]

    def process(image_id: str, loaded: Loaded) -> Way:
        yield from synthesise(
            apply_irnet(model, compute, loaded.image),
            compute.put(loaded.cam),
            loaded.keys,
            loaded.size,
            image=loaded.image,
            settings=settings,
            finish=partial(write_labels, folders, dataset.palette, kinds, image_id),
        )

    run_images(
        ids,
        partial(load_image, dataset, cams),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        description=" + ".join(STAGES[kind].removesuffix("_labels") for kind in kinds),
    )


def write_labels(
    folders: Mapping[str, str],
    palette: np.ndarray,
    kinds: Sequence[str],
    image_id: str,
    labels: Iterator[Label],
) -> None:
    """Write an image's labels of these kinds, each to its folder."""
    for kind, label in zip(kinds, labels, strict=True):
        if isinstance(label, dict):
            write_instances(folders[kind], image_id, label)
        else:
            write_semantic_label(folders[kind], image_id, label, palette=palette)


def load_image(dataset: Dataset, folder: CamFolder, image_id: str) -> Loaded:
    """Read an image and its CAMs."""
    image = dataset.image(image_id)
    size = image.shape[:2]
    cams = folder.read(image_id, size)
    return Loaded(image=planes(image), cam=torch.from_numpy(cams.cam), keys=cams.keys, size=size)
