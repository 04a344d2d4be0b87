"""How long the stages of a preset take, in probes of the machine: see misc.running.progress."""

# Measured in float32 on two cores of an AMD EPYC, oneDNN held to AVX2: a probe took 28.5 ms there.
PROBES = {
    "demo": {
        "train_cam": 7510,
        "make_cam": 1619,
        "eval_cam": 105,
        "cam_to_ir_label": 227,
        "train_irn": 6422,
        "make_ins_seg_labels": 970,
        "eval_ins_seg": 74,
        "make_sem_seg_labels": 7,
        "eval_sem_seg": 18,
        "make_cocoann": 14,
        "train_mask_rcnn": 4043,
        "eval_mask_rcnn": 165,
        "train_deeplab": 3534,
        "eval_deeplab": 242,
        "report": 75,
    },
}
# Settings that leave the work as it is.
FREE = {"device", "precision", "num_workers", "run_dir", "overwrite", "seed", "demo_seed"}
