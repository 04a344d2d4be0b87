"""Show one image through every stage, as one wide picture: `--show ID`."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import torch

import voc12
from misc.cam_files import find_cams, read_cams
from misc.config import Config
from misc.files import write_bytes
from misc.imutils import normalize, read_label, with_mirror
from misc.instance_files import load_instances
from misc.log import logger
from misc.palette import voc_palette
from misc.pictures import field_picture, heat, instance_overlay, label_overlay, panel
from step.cam_to_ir_label import label_path
from step.common import compute_of, open_dataset
from step.label_synthesis import instance_path, load_irnet, semantic_paths

Pictures = list[tuple[str, np.ndarray]]


def run(config: Config) -> None:
    """Write a panel of the image --show with whatever the stages have made of it so far."""
    image_id = str(config.show)
    dataset = open_dataset(config)
    image = dataset.image(image_id)
    pictures: Pictures = [
        ("image", image),
        *_truth(dataset, image_id, image),
        *_cams(config, dataset, image_id, image),
        *_relation(config, image_id, image),
        *_fields(config, image),
        *_labels(config, image_id, image),
    ]
    page = panel(pictures, image.shape[:2], columns=-(-len(pictures) // 2))
    path = Path(config.show_dir) / f"{image_id}.png"
    write_bytes(path, imageio.imwrite("<bytes>", page, extension=".png"))
    logger.info("%s: %d pictures", path, len(pictures))


def _truth(dataset: voc12.Dataset, image_id: str, image: np.ndarray) -> Pictures:
    try:
        masks, _ = dataset.instance_label(image_id)
    except FileNotFoundError:
        return []
    return [("ground truth", instance_overlay(image, masks))]


def _cams(config: Config, dataset: voc12.Dataset, image_id: str, image: np.ndarray) -> Pictures:
    try:
        cams = read_cams(find_cams(config.cam_out_dir, image_id))
    except FileNotFoundError:
        return []
    names = [dataset.class_names[key] for key in cams.keys]
    return [
        (f"CAM: {name}", heat(image, scores))
        for name, scores in zip(names, cams.high_res, strict=True)
    ]


def _relation(config: Config, image_id: str, image: np.ndarray) -> Pictures:
    path = label_path(config.ir_label_out_dir, image_id)
    if not path.is_file():
        return []
    label = read_label(path)
    palette = voc_palette()
    return [("relation label", label_overlay(image, label, palette))]


def _fields(config: Config, image: np.ndarray) -> Pictures:
    if not Path(config.irn_weights_name).is_file():
        return []
    compute = compute_of(config)
    model = load_irnet(config, compute)
    pair = torch.as_tensor(with_mirror(normalize(image)), device=compute.device)
    with torch.inference_mode(), compute.autocast():
        boundary, displacement = model(pair)
    grey = (255 * boundary[0].cpu().numpy()).astype(np.uint8)
    return [
        ("boundary", np.repeat(grey[..., None], 3, axis=2)),
        ("displacement", field_picture(displacement.cpu().numpy())),
    ]


def _labels(config: Config, image_id: str, image: np.ndarray) -> Pictures:
    pictures: Pictures = []
    path = instance_path(config.ins_seg_out_dir, image_id)
    if path.is_file():
        found = load_instances(path)
        order = np.argsort(-found["score"], kind="stable")
        counted = found["mask"][order][found["score"][order] > 0]
        pictures.append(("instance labels", instance_overlay(image, counted)))
    grey, _ = semantic_paths(config.sem_seg_out_dir, image_id)
    if grey.is_file():
        overlay = label_overlay(image, read_label(grey), voc_palette())
        pictures.append(("semantic label", overlay))
    return pictures
