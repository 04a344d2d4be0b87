"""The program's version, as in pyproject.toml; results record it."""

VERSION = "0.2.0"
# New names of settings, by those that earlier results have; and of some stages alone.
RENAMED = {"voc12_root": "data_root"}
RENAMED_OF = {
    "make_ins_seg_labels": {"irn_crop_size": "irn_pad"},
    "make_sem_seg_labels": {"irn_crop_size": "irn_pad"},
}
# What settings did before they were settings: results that do not record them were made so.
FORMER = {
    "backbone": "resnet50",
    "deeplab_backbone": "resnet50",
    "cam_power": 1,
    "mask_rcnn_channels": 256,
    "walk": True,
    "walk_radius": 5,
    "ins_seg_split": True,
    "ins_seg_crf": False,
    "sem_seg_crf": False,
}


def is_compatible(version: str) -> bool:
    """Return whether results of a version may be continued: its first two numbers match."""
    return version.split(".")[:2] == VERSION.split(".")[:2]
