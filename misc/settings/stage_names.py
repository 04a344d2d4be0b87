"""Names of stages, by what shapes them."""

LABELS = ("make_ins_seg_labels", "make_sem_seg_labels")
TRAININGS = ("train_cam", "train_irn", "train_mask_rcnn", "train_deeplab")
# DeepLab's backbone is a setting of its own.
BACKBONED = (*TRAININGS[:3], "make_cam", *LABELS, "eval_mask_rcnn")
NETWORKS = (*TRAININGS, "make_cam", *LABELS, "eval_mask_rcnn", "eval_deeplab")
