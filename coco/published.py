"""Published figures on COCO, for comparison with a run's; docs/COCO.md has each one's protocol.

None is of IRNet's authors: those on 2014 are later papers' runs of IRNet, that on 2017's instances
is another method's, without proposals or SAM, as none of IRNet is known.
"""

# By stage and split: measure to value.
PUBLISHED_2014: dict[tuple[str, str], dict[str, float]] = {
    ("eval_cam", "train"): {"mIoU": 0.331},
    ("eval_sem_seg", "train"): {"mIoU": 0.425},
    ("eval_deeplab", "val"): {"mIoU": 0.420},
}
PUBLISHED_2017: dict[tuple[str, str], dict[str, float]] = {
    ("eval_mask_rcnn", "val"): {"COCO AP": 0.143, "COCO AP50": 0.280},
}
PUBLISHED = {2014: PUBLISHED_2014, 2017: PUBLISHED_2017}
