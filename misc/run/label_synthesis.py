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
from misc.files.cam_names import require_cams
from misc.files.dataset import Dataset
from misc.files.labels import (
    INSTANCE_FILES,
    SEMANTIC_FILES,
    instance_paths,
    semantic_paths,
    write_instances,
    write_semantic_label,
)
from misc.files.palette import class_entries, object_entries, write_legend
from misc.imutils import planes
from misc.machine.device import compute_of
from misc.run.cam_forms import cam_folder
from misc.run.provenance import claim_folder
from misc.run.shaped import shaped_by
from misc.run.synthesis import (
    Label,
    apply_irnet,
    label_settings_from,
    synthesise,
)
from misc.run.workers import Way, run_images
from misc.settings.config import Config


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
    require_cams(config.cam_out_dir, ids)
    compute = compute_of(config)
    for kind in kinds:
        claim_labels(config, dataset, ids, kind)
    settings = [label_settings_from(config, kind) for kind in kinds]
    folders = {"instance": config.ins_seg_out_dir, "semantic": config.sem_seg_out_dir}
    paths = {"instance": instance_paths, "semantic": semantic_paths}

    def outputs(image_id: str) -> list[Path]:
        return [path for kind in kinds for path in paths[kind](folders[kind], image_id)]

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
        partial(load_image, dataset, cam_folder(config, dataset)),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        description=" + ".join(
            {"instance": "make_ins_seg", "semantic": "make_sem_seg"}[k] for k in kinds
        ),
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


def claim_labels(config: Config, dataset: Dataset, ids: Sequence[str], kind: str) -> None:
    """Claim the folder of a kind of label, and write the legend of its palette."""
    if kind == "instance":
        stage, folder, files = "make_ins_seg_labels", config.ins_seg_out_dir, INSTANCE_FILES
        entries, has_crf = object_entries(), config.ins_seg_crf
    else:
        stage, folder, files = "make_sem_seg_labels", config.sem_seg_out_dir, SEMANTIC_FILES
        entries, has_crf = class_entries(dataset.class_names, dataset.palette), config.sem_seg_crf
    settings = shaped_by(config, dataset, stage, *["crf"] * has_crf, images=ids)
    claim_folder(folder, settings, files=files, images=ids, overwrite=config.overwrite)
    write_legend(folder, entries)


def load_image(dataset: Dataset, folder: CamFolder, image_id: str) -> Loaded:
    """Read an image and its CAMs."""
    image = dataset.image(image_id)
    size = image.shape[:2]
    cams = folder.read(image_id, size)
    return Loaded(image=planes(image), cam=torch.from_numpy(cams.cam), keys=cams.keys, size=size)
