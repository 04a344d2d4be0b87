"""Derive inter-pixel relation labels from the CAMs (METHOD section 3)."""

from functools import partial

from misc.files.cam_files import CamFolder
from misc.files.cam_names import require_cams
from misc.files.dataset import Dataset
from misc.files.images import write_label
from misc.files.labels import label_path
from misc.files.outputs import image_files
from misc.files.palette import PALETTE_FILES, class_entries, palette_path, write_legend
from misc.relation import relation_label
from misc.run.cam_forms import cam_folder
from misc.run.provenance import claim_folder
from misc.run.shaped import shaped_by
from misc.run.workers import run_images
from misc.settings.config import Config

FILES = ("{}.png", *PALETTE_FILES)  # in --ir_label_out_dir; {} is an image's id


def run(config: Config, dataset: Dataset) -> None:
    """Write the relation label of every image of train_list to --ir_label_out_dir."""
    ids = dataset.split(config.train_list)
    require_cams(config.cam_out_dir, ids)
    claim_folder(
        config.ir_label_out_dir,
        shaped_by(config, dataset, "cam_to_ir_label", images=ids),
        files=FILES,
        images=ids,
        overwrite=config.overwrite,
    )
    write_legend(
        config.ir_label_out_dir, class_entries(dataset.class_names, dataset.palette, unsure=True)
    )
    run_images(
        ids,
        partial(
            write_relation_label,
            dataset,
            cam_folder(config, dataset),
            config.ir_label_out_dir,
            config.conf_fg_thres,
            config.conf_bg_thres,
            config.crf,
        ),
        outputs=partial(image_files, config.ir_label_out_dir, FILES),
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
    write_label(palette_path(label_dir, image_id), label, palette=dataset.palette)
    write_label(label_path(label_dir, image_id), label)
