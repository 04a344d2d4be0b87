"""Derive inter-pixel relation labels from the CAMs (METHOD section 3)."""

from functools import partial

from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.files.labels import write_semantic_label
from misc.relation import relation_label
from misc.run.results import claim_outputs
from misc.run.stage import StageFiles
from misc.run.workers import run_images
from misc.settings.config import Config


def run(config: Config, dataset: Dataset) -> None:
    """Write the relation label of every image of train_list to --ir_label_out_dir."""
    ids = dataset.split(config.train_list)
    cams = CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))
    outputs = claim_outputs(StageFiles("cam_to_ir_label", config, dataset), ids)
    run_images(
        ids,
        partial(
            write_relation_label,
            dataset,
            cams,
            config.ir_label_out_dir,
            config.conf_fg_thres,
            config.conf_bg_thres,
            config.crf,
        ),
        outputs=outputs,
        num_workers=config.num_workers,
        description="cam_to_ir_label",
    )


def write_relation_label(
    dataset: Dataset,
    folder: CamFolder,
    label_dir: str,
    fg_threshold: float,
    bg_threshold: float,
    crf: str,
    image_id: str,
) -> None:
    """Make and write one image's relation label."""
    image = dataset.image(image_id)
    cams = folder.read(image_id, image.shape[:2])
    label = relation_label(
        image,
        cams.high_res,
        cams.keys,
        fg_threshold=fg_threshold,
        bg_threshold=bg_threshold,
        crf=crf,
    )
    write_semantic_label(label_dir, image_id, label, palette=dataset.palette)
