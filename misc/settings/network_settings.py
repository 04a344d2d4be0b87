"""The networks that are trained on the labels, and where everything is written."""

from dataclasses import dataclass

from misc.settings import trainings
from misc.settings.declare import in_demo, place, setting
from misc.settings.rules import A_FILE, BACKBONES, POSITIVE, SCALES, one_of, some_of
from misc.settings.stage_names import LABELS


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Mask R-CNN and DeepLab."""

    supervision: tuple[str, ...] = setting(
        ("irn",),
        "labels to train on, each in turn: irn (ours), cam (components of the CAMs at "
        "--cam_eval_thres, the lower bound), full (ground truth, the upper bound)",
        rule=some_of("irn", "cam", "full"),
        group="Networks trained on the labels",
    )
    mask_rcnn: trainings.MaskRcnnTraining = trainings.MASK_RCNN
    mask_rcnn_eval_steps: int = setting(
        2000, "steps between validations with checkpoint", rule=POSITIVE, presets=in_demo(100)
    )
    mask_rcnn_server_list: str = setting(
        "", "split to detect for the evaluation server, as test; none by default"
    )
    deeplab_backbone: str | None = setting(
        None,
        "ResNet of DeepLab; by default that of --backbone",
        rule=one_of(*BACKBONES),
        shapes=("train_deeplab", "eval_deeplab"),
    )
    deeplab: trainings.DeepLabTraining = trainings.DEEPLAB
    deeplab_eval_steps: int = setting(
        2000, "steps between validations with checkpoint", rule=POSITIVE, presets=in_demo(75)
    )
    deeplab_scales: tuple[float, ...] = setting(
        (0.5, 0.75, 1.0, 1.25, 1.5),
        "test-time image scales whose probabilities are averaged",
        rule=SCALES,
        presets={"demo": (1.0,), "cityscapes": (0.5, 0.75, 1.0)},
        shapes=("eval_deeplab",),
    )
    deeplab_crf: bool = setting(
        True, "refine DeepLab's predictions with a dense CRF", shapes=("eval_deeplab",)
    )
    deeplab_server_list: str = setting(
        "", "split to pack for the evaluation server, as test; none by default"
    )


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """Where results are written."""

    cam_weights_name: str = place(
        "sess/res50_cam.pth",
        "weights of the classification network",
        rule=A_FILE,
        group="Files",
        shapes=("make_cam",),
    )
    irn_weights_name: str = place(
        "sess/res50_irn.pth", "weights of IRNet", rule=A_FILE, shapes=LABELS
    )
    cam_out_dir: str = place(
        "result/cam",
        "CAMs, ours or of another method (.npz, .npy, .pt), see YOUR_CAMS.md",
        shapes=("cam_to_ir_label", *LABELS),
    )
    ir_label_out_dir: str = place("result/ir_label", "relation labels", shapes=("train_irn",))
    ins_seg_out_dir: str = place("result/ins_seg", "instance labels")
    sem_seg_out_dir: str = place("result/sem_seg", "semantic labels")
    coco_name: str = place(
        "result/instances", "COCO annotations are written to this name with _SPLIT.json appended"
    )
    mask_rcnn_weights_name: str = place("sess/mask_rcnn.pth", "weights of Mask R-CNN", rule=A_FILE)
    mask_rcnn_out_dir: str = place("result/mask_rcnn", "Mask R-CNN's detections on val_list")
    mask_rcnn_server_dir: str = place(
        "result/mask_rcnn_server", "the detections of --mask_rcnn_server_list"
    )
    deeplab_weights_name: str = place("sess/deeplab.pth", "weights of DeepLab", rule=A_FILE)
    deeplab_out_dir: str = place("result/deeplab", "DeepLab's labels on val_list")
    deeplab_server_dir: str = place("result/server", "the archive of --deeplab_server_list")
    tables_file: str = place("result/TABLES.md", "the tables of all measures", rule=A_FILE)
    report_file: str = place(
        "result/report.html", "the page that the stage report writes", rule=A_FILE
    )
    report_images: int = setting(24, "images in the report's gallery", rule=POSITIVE)
