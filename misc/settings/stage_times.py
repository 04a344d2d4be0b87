"""How long the stages of a preset take, in probes of the machine: see misc.running.progress."""

PROBES = {
    "demo": {
        "train_cam": 1.0,
        "make_cam": 1.0,
        "eval_cam": 1.0,
        "cam_to_ir_label": 1.0,
        "train_irn": 1.0,
        "make_ins_seg_labels": 1.0,
        "eval_ins_seg": 1.0,
        "make_sem_seg_labels": 1.0,
        "eval_sem_seg": 1.0,
        "make_cocoann": 1.0,
        "train_mask_rcnn": 1.0,
        "eval_mask_rcnn": 1.0,
        "train_deeplab": 1.0,
        "eval_deeplab": 1.0,
        "report": 1.0,
    },
}
# Settings that leave the work as it is.
FREE = {"device", "precision", "num_workers", "run_dir", "overwrite", "seed", "demo_seed"}
