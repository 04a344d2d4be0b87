"""The stages, in the order in which they run."""

import importlib
from dataclasses import dataclass

from misc import ranks
from misc.config import Config


@dataclass(frozen=True)
class Stage:
    """A stage: its module in this package, the flag that switches it, and who runs it.

    Of several ranks all run a stage, sharing its images, or the first alone, `once`.
    """

    name: str
    flag: str
    once: bool = False

    def run(self, config: Config) -> None:
        """Run the stage."""
        run = importlib.import_module(f"step.{self.name}").run
        if self.once:
            ranks.on_first(lambda: run(config))
        else:
            run(config)


STAGES = (
    Stage("train_cam", "train_cam_pass"),
    Stage("make_cam", "make_cam_pass"),
    Stage("eval_cam", "eval_cam_pass", once=True),
    Stage("cam_to_ir_label", "cam_to_ir_label_pass"),
    Stage("train_irn", "train_irn_pass"),
    Stage("make_ins_seg_labels", "make_ins_seg_pass"),
    Stage("eval_ins_seg", "eval_ins_seg_pass", once=True),
    Stage("make_sem_seg_labels", "make_sem_seg_pass"),
    Stage("eval_sem_seg", "eval_sem_seg_pass", once=True),
    Stage("make_cocoann", "make_cocoann_pass", once=True),
    Stage("train_mask_rcnn", "train_mask_rcnn_pass"),
    Stage("eval_mask_rcnn", "eval_mask_rcnn_pass"),
    Stage("train_deeplab", "train_deeplab_pass"),
    Stage("eval_deeplab", "eval_deeplab_pass"),
    Stage("report", "report_pass", once=True),
)
