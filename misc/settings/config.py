"""Every setting of a run, declared once.

The command line, docs/FLAGS.md, the presets and the saved settings are made from `Config`.
Defaults are those of the `voc12` preset: the published settings.
"""

import os
from dataclasses import dataclass

from misc.settings.declare import in_coco, in_demo, place, setting, stage_pass
from misc.settings.rules import (
    CROP,
    DROPS,
    LONG_SIDE,
    NOT_EMPTY,
    NOT_NEGATIVE,
    PADDING,
    POSITIVE,
    RADIUS,
    SCALES,
    UNIT,
    one_of,
    some_of,
)

# The data set of each preset; a data set's own name is its first preset.
PRESETS = {
    "voc12": "voc12",
    "voc12_author": "voc12",
    "demo": "demo",
    "coco14": "coco14",
    "coco14_rib": "coco14",
    "coco17": "coco17",
}
DATASETS = tuple(dict.fromkeys(PRESETS.values()))


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a run; see each field's help."""

    preset: str = setting(
        "voc12",
        "named set of defaults; that of the data set, if not given",
        rule=one_of(*PRESETS),
        group="Run",
    )
    settings: str | None = setting(
        None, "repeat a run from the JSON of its settings; flags override it", rule=NOT_EMPTY
    )
    device: str = setting("auto", "where networks run", rule=one_of("auto", "cpu", "cuda", "mps"))
    precision: str = setting(
        "fp32",
        "precision of the networks; auto is bf16 where the device computes it natively, tf32 is "
        "fp32 with inputs of products rounded to TF32 (CUDA)",
        rule=one_of("fp32", "tf32", "bf16", "auto"),
        presets=in_demo("auto"),
    )
    num_workers: int = setting(
        os.cpu_count() or 1, "loader processes; 0 loads in the main process", rule=NOT_NEGATIVE
    )
    seed: int = setting(
        0, "random seed of initial weights, sampling and augmentation", rule=NOT_NEGATIVE
    )
    run_dir: str = setting("", "folder prepended to every output path that no flag names")
    checkpoint_every: float = setting(
        60, "seconds of training between checkpoints", rule=NOT_NEGATIVE
    )
    overwrite: bool = setting(
        False,
        "replace results of this program made with other settings, and nothing else",
    )
    log_name: str = place(
        "sample_train_eval",
        "the log is written to this name with .log appended, the settings with .settings.json",
    )
    metrics_file: str = place("result/metrics.jsonl", "one JSON line per measure")
    details_dir: str = place(
        "result/details", "breakdown of the measures: curves, classes and images"
    )
    tensorboard: bool = setting(False, "write the training curves for TensorBoard too")
    tensorboard_dir: str = place("result/tensorboard", "folder of TensorBoard's files")

    dataset: str = setting(
        "voc12",
        "data set; that of the preset, if not given; without both the demo, whose data are drawn",
        rule=one_of(*DATASETS),
        presets={preset: name for preset, name in PRESETS.items() if name != "voc12"},
        group="Data",
    )
    data_root: str | None = setting(
        None, "folder of the data set; of voc12 the devkit's VOC2012", rule=NOT_EMPTY
    )
    voc12_root: str | None = setting(
        None, "the same as --dataset voc12 --data_root", rule=NOT_EMPTY
    )
    sbd_root: str | None = setting(
        None, "SBD's folder, a source of train_aug and of its ground truth", rule=NOT_EMPTY
    )
    only_labelled: bool = setting(
        False, "coco: leave images without an image-level label out of train and val"
    )
    coco_crowd_labels: bool = setting(True, "coco: crowds count in the image-level label")
    coco_truth: str = setting(
        "json_order",
        "coco: semantic truth, a later annotation over an earlier one, or the smallest on top",
        rule=one_of("json_order", "small_first"),
    )
    coco_crowd: str = setting(
        "background",
        "coco: what crowds are in the semantic truth where nothing else is",
        rule=one_of("background", "ignore"),
    )
    coco_mask_dir: str | None = setting(
        None,
        "coco: folder of ready-made semantic masks, in place of the truth of the JSON",
        rule=NOT_EMPTY,
    )
    train_list: str = setting(
        "train_aug",
        "split name or file of ids to train on",
        presets=in_demo("train") | in_coco("train"),
    )
    val_list: str = setting("val", "split name or file of ids to validate on")
    infer_list: str = setting("train", "split name or file of ids to make labels for")
    chainer_eval_set: str = setting("train", "split name or file of ids to evaluate on")
    cache_dir: str = place("result/cache", "cache of the image-level labels")
    demo_root: str = place("result/VOC2012", "folder of the demo data")
    demo_seed: int = setting(0, "random seed of the demo data", rule=NOT_NEGATIVE)
    demo_train_images: int = setting(400, "images in the demo's train split", rule=POSITIVE)
    demo_val_images: int = setting(40, "images in the demo's val split", rule=POSITIVE)

    pretrained: str = setting(
        "imagenet",
        "imagenet (downloaded by torchvision), a ResNet-50 weights file, or none: from scratch",
        presets=in_demo("none"),
        group="Classification network and class attention maps",
    )
    cam_network: str = setting("net.resnet50_cam", "module with Net and CAM")
    cam_crop_size: int = setting(
        512, "side of a training crop, pixels", rule=CROP, presets=in_demo(160)
    )
    cam_resize_long: tuple[int, ...] = setting(
        (320, 640),
        "range of an image's long side in training, pixels",
        rule=LONG_SIDE,
        presets=in_demo((144, 248)),
    )
    cam_batch_size: int = setting(16, "batch size", rule=POSITIVE, presets=in_demo(8))
    cam_num_epoches: int = setting(5, "epochs over train_list", rule=POSITIVE, presets=in_demo(12))
    cam_learning_rate: float = setting(
        0.1,
        "learning rate of the backbone; ten times that for the classifier (sgd)",
        rule=POSITIVE,
        presets=in_demo(1e-3),
    )
    cam_weight_decay: float = setting(
        1e-4, "weight decay", rule=NOT_NEGATIVE, presets=in_demo(0.05)
    )
    cam_momentum: float = setting(
        1e-4, "SGD momentum; the published program's value, see CHANGELOG", rule=UNIT
    )
    cam_optimizer: str = setting(
        "sgd", "optimizer", rule=one_of("sgd", "adamw"), presets=in_demo("adamw")
    )
    cam_warmup_steps: int = setting(
        0, "warmup steps of the learning rate", rule=NOT_NEGATIVE, presets=in_demo(80)
    )
    cam_scales: tuple[float, ...] = setting(
        (1.0, 0.5, 1.5, 2.0),
        "image scales whose maps are summed",
        rule=SCALES,
        presets=in_demo((1.0, 0.5, 1.5)),
    )
    cam_eval_thres: float = setting(0.15, "background score in eval_cam", rule=UNIT)

    conf_fg_thres: float = setting(
        0.30,
        "background score for confident foreground",
        rule=UNIT,
        presets=in_coco(0.35),
        group="Inter-pixel relations and IRNet",
    )
    conf_bg_thres: float = setting(
        0.05,
        "background score for confident background",
        rule=UNIT,
        presets=in_demo(0.10) | in_coco(0.10, rib=0.17),
    )
    crf: str = setting(
        "torch",
        "dense CRF implementation: torch, or the package pydensecrf (the same labels)",
        rule=one_of("torch", "pydensecrf"),
    )
    irn_network: str = setting(
        "net.resnet50_irn", "module with Net, AffinityDisplacementLoss and EdgeDisplacement"
    )
    irn_crop_size: int = setting(
        512, "side of a training crop, pixels", rule=CROP, presets=in_demo(160)
    )
    # Pairs across neighbouring objects mislead; the demo's grid is 0.38 times VOC's per side.
    irn_radius: int = setting(
        10,
        "largest distance of the pixels of a pair, stride-4 pixels",
        rule=RADIUS,
        presets=in_demo(5),
    )
    irn_batch_size: int = setting(
        32, "batch size", rule=POSITIVE, presets={"voc12_author": 16, "demo": 8}
    )
    irn_num_epoches: int = setting(
        3, "epochs over train_list", rule=POSITIVE, presets={"voc12_author": 5, "demo": 16}
    )
    irn_learning_rate: float = setting(
        0.1,
        "learning rate of the boundary branch; ten times that for the displacement branch (sgd)",
        rule=POSITIVE,
        presets=in_demo(1e-2),
    )
    irn_weight_decay: float = setting(1e-4, "weight decay", rule=NOT_NEGATIVE)
    irn_momentum: float = setting(
        1e-4, "SGD momentum; the published program's value, see CHANGELOG", rule=UNIT
    )
    irn_optimizer: str = setting(
        "sgd", "optimizer", rule=one_of("sgd", "adamw"), presets=in_demo("adamw")
    )
    irn_warmup_steps: int = setting(
        0, "warmup steps of the learning rate", rule=NOT_NEGATIVE, presets=in_demo(20)
    )

    irn_pad: int = setting(
        512,
        "side that IRNet pads a smaller image to for its labels, pixels; 0 pads to a multiple of "
        "16 alone",
        rule=PADDING,
        presets=in_demo(160) | in_coco(0),
        group="Label synthesis",
    )
    cam_power: float = setting(
        1,
        "power of the normalised CAMs before the random walk",
        rule=POSITIVE,
        presets={"coco14_rib": 1.3},
    )
    beta: float = setting(10, "power of the affinities in the random walk", rule=POSITIVE)
    # A walk spreads as the square root of its steps; the demo's grid is 0.38 times VOC's per side,
    # and its objects lie closer together.
    exp_times: int = setting(
        8, "2 to this power steps of the random walk", rule=NOT_NEGATIVE, presets=in_demo(3)
    )
    # Displacements are as long as objects are wide, so this scales with the grid, too.
    small_displacement: float = setting(
        2.5,
        "length below which a displacement marks an instance's centre, stride-4 pixels",
        rule=POSITIVE,
        presets=in_demo(1.0),
    )
    ins_seg_bg_thres: float = setting(0.25, "background score of instance labels", rule=UNIT)
    sem_seg_bg_thres: float = setting(
        0.25, "background score of semantic labels", rule=UNIT, presets={"coco14_rib": 0.22}
    )

    supervision: tuple[str, ...] = setting(
        ("irn",),
        "labels to train on, each in turn: irn (ours), cam (components of the CAMs at "
        "--cam_eval_thres, the lower bound), full (ground truth, the upper bound)",
        rule=some_of("irn", "cam", "full"),
        group="Networks trained on the labels",
    )
    mask_rcnn_steps: int = setting(18000, "training steps", rule=POSITIVE, presets=in_demo(200))
    mask_rcnn_drops: tuple[int, ...] = setting(
        (12000, 16000),
        "steps after which the learning rate is divided by ten; '' keeps it constant",
        rule=DROPS,
        presets=in_demo((150, 185)),
    )
    mask_rcnn_batch_size: int = setting(4, "batch size", rule=POSITIVE, presets=in_demo(8))
    mask_rcnn_learning_rate: float = setting(0.01, "learning rate", rule=POSITIVE)
    mask_rcnn_weight_decay: float = setting(1e-4, "weight decay", rule=NOT_NEGATIVE)
    mask_rcnn_momentum: float = setting(0.9, "SGD momentum", rule=UNIT)
    mask_rcnn_optimizer: str = setting("sgd", "optimizer", rule=one_of("sgd", "adamw"))
    mask_rcnn_warmup_steps: int = setting(
        500, "warmup steps of the learning rate", rule=NOT_NEGATIVE, presets=in_demo(50)
    )
    mask_rcnn_min_size: int = setting(
        512, "short side that images are resized to, pixels", rule=POSITIVE, presets=in_demo(144)
    )
    mask_rcnn_max_size: int = setting(
        800, "upper limit of the long side, pixels", rule=POSITIVE, presets=in_demo(192)
    )
    mask_rcnn_sampled_boxes: int = setting(
        512, "proposals sampled per image to train the heads", rule=POSITIVE, presets=in_demo(16)
    )
    mask_rcnn_eval_steps: int = setting(
        2000, "steps between validations with checkpoint", rule=POSITIVE, presets=in_demo(100)
    )
    deeplab_steps: int = setting(20000, "training steps", rule=POSITIVE, presets=in_demo(150))
    deeplab_batch_size: int = setting(10, "batch size", rule=POSITIVE, presets=in_demo(4))
    deeplab_crop_size: int = setting(
        321, "side of a training crop, pixels", rule=POSITIVE, presets=in_demo(160)
    )
    deeplab_learning_rate: float = setting(
        2.5e-4,
        "learning rate of the backbone; ten times that for the classifier (sgd)",
        rule=POSITIVE,
        presets=in_demo(2e-4),
    )
    deeplab_weight_decay: float = setting(
        5e-4, "weight decay", rule=NOT_NEGATIVE, presets=in_demo(0.01)
    )
    deeplab_momentum: float = setting(0.9, "SGD momentum", rule=UNIT)
    deeplab_optimizer: str = setting(
        "sgd", "optimizer", rule=one_of("sgd", "adamw"), presets=in_demo("adamw")
    )
    deeplab_warmup_steps: int = setting(
        0, "warmup steps of the learning rate", rule=NOT_NEGATIVE, presets=in_demo(20)
    )
    deeplab_eval_steps: int = setting(
        2000, "steps between validations with checkpoint", rule=POSITIVE, presets=in_demo(75)
    )
    deeplab_scales: tuple[float, ...] = setting(
        (0.5, 0.75, 1.0, 1.25, 1.5),
        "test-time image scales whose probabilities are averaged",
        rule=SCALES,
        presets=in_demo((1.0,)),
    )
    deeplab_crf: bool = setting(True, "refine DeepLab's predictions with a dense CRF")
    deeplab_server_list: str = setting(
        "", "split to pack for the evaluation server, as test; none by default"
    )

    cam_weights_name: str = place(
        "sess/res50_cam.pth", "weights of the classification network", group="Files"
    )
    irn_weights_name: str = place("sess/res50_irn.pth", "weights of IRNet")
    cam_out_dir: str = place("result/cam", "CAMs, ours (.npz) or of another method (.npy)")
    ir_label_out_dir: str = place("result/ir_label", "relation labels")
    ins_seg_out_dir: str = place("result/ins_seg", "instance labels")
    sem_seg_out_dir: str = place("result/sem_seg", "semantic labels")
    coco_name: str = place(
        "result/instances", "COCO annotations are written to this name with _SPLIT.json appended"
    )
    mask_rcnn_weights_name: str = place("sess/mask_rcnn.pth", "weights of Mask R-CNN")
    mask_rcnn_out_dir: str = place("result/mask_rcnn", "Mask R-CNN's detections on val_list")
    deeplab_weights_name: str = place("sess/deeplab.pth", "weights of DeepLab")
    deeplab_out_dir: str = place("result/deeplab", "DeepLab's labels on val_list")
    deeplab_server_dir: str = place("result/server", "the archive of --deeplab_server_list")
    tables_file: str = place("result/TABLES.md", "the tables of all measures")
    report_file: str = place("result/report.html", "the page that the stage report writes")
    report_images: int = setting(24, "images in the report's gallery", rule=POSITIVE)
    dry_run: bool = setting(
        False,
        "preflight only: read and check all inputs of the chosen stages, report, and stop",
        group="Trying and looking",
    )
    limit: int | None = setting(
        None, "use only this many first images of every list", rule=POSITIVE
    )
    show_dir: str = place("result/show", "where --show writes its pictures")
    show: str | None = setting(
        None, "instead of running stages, draw this image through all of them", rule=NOT_EMPTY
    )

    tables: bool = setting(
        False, "instead of running stages, write the tables of the measures in --metrics_file"
    )

    train_cam_pass: bool | None = stage_pass(
        "train_cam",
        group="Stages: none given runs all; any True runs only those; only False all the others",
    )
    make_cam_pass: bool | None = stage_pass("make_cam")
    eval_cam_pass: bool | None = stage_pass("eval_cam")
    cam_to_ir_label_pass: bool | None = stage_pass("cam_to_ir_label")
    train_irn_pass: bool | None = stage_pass("train_irn")
    make_ins_seg_pass: bool | None = stage_pass("make_ins_seg_labels")
    eval_ins_seg_pass: bool | None = stage_pass("eval_ins_seg")
    make_sem_seg_pass: bool | None = stage_pass("make_sem_seg_labels")
    eval_sem_seg_pass: bool | None = stage_pass("eval_sem_seg")
    make_cocoann_pass: bool | None = stage_pass("make_cocoann")
    train_mask_rcnn_pass: bool | None = stage_pass("train_mask_rcnn")
    eval_mask_rcnn_pass: bool | None = stage_pass("eval_mask_rcnn")
    train_deeplab_pass: bool | None = stage_pass("train_deeplab")
    eval_deeplab_pass: bool | None = stage_pass("eval_deeplab")
    report_pass: bool | None = stage_pass("report")

    def asked(self, flag: str) -> bool:
        """Return whether a stage's flag, with the others, says that it runs."""
        passes = {name: value for name, value in vars(self).items() if name.endswith("_pass")}
        if True in passes.values():
            return passes[flag] is True
        return passes[flag] is not False
