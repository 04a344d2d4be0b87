"""The published figures on VOC 2012, for comparison with a run's (docs/TABLES.md)."""

# By stage and split: measure to value.
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {
    ("eval_cam", "train"): {"mIoU": 0.483},
    ("eval_ins_seg", "train"): {"AP50": 0.377},
    ("eval_sem_seg", "train"): {"mIoU": 0.665},
    ("eval_mask_rcnn", "val"): {"AP50": 0.467, "AP70": 0.235},
    ("eval_deeplab", "val"): {"mIoU": 0.635},
    ("eval_deeplab", "test"): {"mIoU": 0.648},
}
