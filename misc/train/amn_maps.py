"""AMN's maps of an image: found by its network, finished by an earlier run's relation label."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from misc.amn import amn_cams
from misc.files.cam_files import write_final_cams
from misc.files.labels import read_semantic_label
from misc.machine.device import Compute
from misc.train.inference import scale_maps


def label_logits(
    model: Any, images: Sequence[torch.Tensor], *, keys: np.ndarray, compute: Compute
) -> list[torch.Tensor]:
    """Compute as `scale_maps` AMN's logits of all labels, float32 (C + 1, ⌈sH/16⌉, ⌈sW/16⌉)."""
    label = torch.zeros(1, model.num_classes, device=compute.device)
    label[:, keys] = 1
    labels = np.arange(model.num_classes + 1)
    return scale_maps(partial(model.pair_logit, label), images, keys=labels, compute=compute)


def write_amn_cams(
    label_dir: str,
    image_id: str,
    path: str | os.PathLike[str],
    *,
    keys: np.ndarray,
    maps: Sequence[np.ndarray],
    size: tuple[int, int],
) -> None:
    """Write an image's CAMs from its logits at each scale.

    Raises:
        ValueError: the relation label in `label_dir` is not of an image of this (H, W).
    """
    label = read_semantic_label(label_dir, image_id)
    if label.shape != size:
        raise ValueError(
            f"--amn_label_dir {label_dir}: the label of {image_id} is {label.shape}, the image "
            f"{size}; name the folder of these images' relation labels"
        )
    write_final_cams(path, amn_cams([torch.from_numpy(scale) for scale in maps], keys, label))
