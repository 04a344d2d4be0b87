"""The stages, in the order in which they run."""

from misc.running.stage import Stage

STAGES = (
    Stage("step.train_cam", "train_cam_pass"),
    Stage("step.make_cam", "make_cam_pass"),
    Stage("step.eval_cam", "eval_cam_pass", once=True),
    Stage("step.cam_to_ir_label", "cam_to_ir_label_pass"),
    Stage("step.train_irn", "train_irn_pass"),
    Stage("step.make_ins_seg_labels", "make_ins_seg_pass"),
    Stage("step.eval_ins_seg", "eval_ins_seg_pass", once=True),
    Stage("step.make_sem_seg_labels", "make_sem_seg_pass"),
    Stage("step.eval_sem_seg", "eval_sem_seg_pass", once=True),
    Stage("step.make_cocoann", "make_cocoann_pass", once=True),
    Stage("step.train_mask_rcnn", "train_mask_rcnn_pass"),
    Stage("step.eval_mask_rcnn", "eval_mask_rcnn_pass"),
    Stage("step.train_deeplab", "train_deeplab_pass"),
    Stage("step.eval_deeplab", "eval_deeplab_pass"),
    Stage("step.report", "report_pass", once=True),
)
