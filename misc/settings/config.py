"""Every setting of a run, declared once.

The command line, docs/FLAGS.md, the presets and the saved settings are made from `Config`.
Defaults are those of the `voc12` preset: the published settings.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from misc.settings import trainings
from misc.settings.declare import declared_in, in_coco, in_demo, place, setting, stage_pass
from misc.settings.rules import (
    A_FILE,
    BACKBONES,
    NOT_EMPTY,
    NOT_NEGATIVE,
    PADDING,
    POSITIVE,
    RADIUS,
    SCALES,
    SEED,
    UNIT,
    Rule,
    one_of,
    some_of,
    word_or_module,
)

LABELS = ("make_ins_seg_labels", "make_sem_seg_labels")
TRAININGS = ("train_cam", "train_irn", "train_mask_rcnn", "train_deeplab")
# DeepLab's backbone is a setting of its own.
BACKBONED = (*TRAININGS[:3], "make_cam", *LABELS, "eval_mask_rcnn")
NETWORKS = (*TRAININGS, "make_cam", *LABELS, "eval_mask_rcnn", "eval_deeplab")

# The data set of each preset; a data set's own name is its first preset.
PRESETS = {
    "voc12": "voc12",
    "voc12_author": "voc12",
    "coco14": "coco14",
    "coco14_rib": "coco14",
    "coco17": "coco17",
    "cityscapes": "cityscapes",
    "folder": "folder",
    "demo": "demo",
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
        shapes=NETWORKS,
    )
    num_workers: int = setting(
        os.cpu_count() or 1, "loader processes; 0 loads in the main process", rule=NOT_NEGATIVE
    )
    seed: int = setting(
        0,
        "random seed of initial weights, sampling and augmentation",
        rule=SEED,
        shapes=TRAININGS,
    )
    run_dir: str = setting("", "folder prepended to every output path that no flag names")
    checkpoint_every: float = setting(
        60, "seconds of training between checkpoints", rule=NOT_NEGATIVE
    )
    overwrite: bool = setting(
        False, "replace results of this program made with other settings, and nothing else"
    )
    log_name: str = place(
        "sample_train_eval",
        "the log is written to this name with .log appended, the settings with .settings.json",
    )
    metrics_file: str = place("result/metrics.jsonl", "one JSON line per measure", rule=A_FILE)
    details_dir: str = place(
        "result/details", "breakdown of the measures: curves, classes and images"
    )
    tensorboard: bool = setting(False, "write the training curves for TensorBoard too")
    tensorboard_dir: str = place("result/tensorboard", "folder of TensorBoard's files")

    dataset: str = setting(
        "voc12",
        "data set, or a module with from_config (see ARCHITECTURE.md); that of the preset, if not "
        "given; without both the demo, whose data are drawn",
        rule=word_or_module(*DATASETS),
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
    cityscapes_classes: int = setting(
        8,
        "8: those with instances, everything else is background; 19: all, without a background",
        rule=Rule(lambda value: value in (8, 19), "8 or 19"),
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
    labels: str | None = setting(
        None,
        "folder: file of what is in each image (.csv, .tsv, .json, .npy), see YOUR_IMAGES.md; by "
        "default its sub-folders are the classes",
        rule=NOT_EMPTY,
    )
    class_names: str | None = setting(
        None,
        "folder: text file of the class names; by default those that occur, sorted",
        rule=NOT_EMPTY,
    )
    masks: str | None = setting(
        None, "folder: masks of some images, to measure against", rule=NOT_EMPTY
    )
    val_share: float = setting(
        0.1,
        "folder: part of the images, drawn by --seed, that are val; the others are train",
        rule=Rule(lambda value: 0 < value < 1, "a number between 0 and 1"),
    )
    train_list: str = setting(
        "train_aug",
        "split name or file of ids to train on",
        presets=in_demo("train") | in_coco("train") | {"cityscapes": "train", "folder": "train"},
        shapes=("train_cam", "train_irn"),
    )
    val_list: str = setting("val", "split name or file of ids to validate on")
    infer_list: str = setting(
        "train",
        "split name or file of ids to make labels for",
        shapes=("train_mask_rcnn", "train_deeplab"),
    )
    chainer_eval_set: str = setting("train", "split name or file of ids to evaluate on")
    cache_dir: str = place("result/cache", "cache of the image-level labels")
    demo_root: str = place("result/VOC2012", "folder of the demo data")
    demo_seed: int = setting(0, "random seed of the demo data", rule=NOT_NEGATIVE)
    demo_train_images: int = setting(400, "images in the demo's train split", rule=POSITIVE)
    demo_val_images: int = setting(40, "images in the demo's val split", rule=POSITIVE)

    backbone: str = setting(
        "resnet50",
        "ResNet of all networks, torchvision's; the published figures are resnet50's",
        rule=one_of(*BACKBONES),
        presets=in_demo("resnet18"),
        group="Classification network and class attention maps",
        shapes=BACKBONED,
    )
    pretrained: str = setting(
        "imagenet",
        "imagenet (downloaded by torchvision), a file of the backbone's weights in torchvision's "
        "names, or none: from scratch",
        presets=in_demo("none"),
        shapes=TRAININGS,
    )
    cam_network: str = setting(
        "net.resnet50_cam", "module with Net and CAM", shapes=("train_cam", "make_cam")
    )
    cam: trainings.CamTraining = trainings.CAM
    cam_scales: tuple[float, ...] = setting(
        (1.0, 0.5, 1.5, 2.0),
        "image scales whose maps are summed",
        rule=SCALES,
        presets={"demo": (1.0, 0.5, 1.5), "cityscapes": (1.0, 0.5)},
        shapes=("make_cam",),
    )
    cam_eval_thres: float = setting(0.15, "background score in eval_cam", rule=UNIT)
    cam_background: bool = setting(
        False,
        "where another program's CAMs have a map of the background, it takes the place of "
        "--cam_eval_thres, --conf_fg_thres and --conf_bg_thres",
        shapes=("cam_to_ir_label",),
    )
    suggest_thresholds: bool = setting(
        False,
        "eval_cam prints the thresholds that suit the CAMs; without ground truth, a guess",
    )

    conf_fg_thres: float = setting(
        0.30,
        "background score for confident foreground",
        rule=UNIT,
        presets=in_coco(0.35) | {"folder": 0.35},
        group="Inter-pixel relations and IRNet",
        shapes=("cam_to_ir_label",),
    )
    conf_bg_thres: float = setting(
        0.05,
        "background score for confident background",
        rule=UNIT,
        presets=in_demo(0.10) | in_coco(0.10, rib=0.17) | {"folder": 0.10},
        shapes=("cam_to_ir_label",),
    )
    crf: str = setting(
        "torch",
        "dense CRF implementation: torch, or the package pydensecrf (the same labels)",
        rule=one_of("torch", "pydensecrf"),
        shapes=("cam_to_ir_label", "eval_deeplab"),
    )
    irn_network: str = setting(
        "net.resnet50_irn",
        "module with Net, AffinityDisplacementLoss and EdgeDisplacement",
        shapes=("train_irn", *LABELS),
    )
    irn: trainings.IrnTraining = trainings.IRN

    irn_pad: int = setting(
        512,
        "side that IRNet pads a smaller image to for its labels, pixels; 0 pads to a multiple of "
        "16 alone",
        rule=PADDING,
        presets=in_demo(160) | in_coco(0) | {"folder": 0},
        group="Label synthesis",
        shapes=LABELS,
    )
    cam_power: float = setting(
        1,
        "power of the normalised CAMs before the random walk",
        rule=POSITIVE,
        presets={"coco14_rib": 1.3},
        shapes=LABELS,
    )
    walk: bool = setting(
        True,
        "propagate the CAMs by the random walk; False makes labels of them as they are, boundaries "
        "unused",
        shapes=LABELS,
    )
    walk_radius: int = setting(
        5,
        "pixels nearer than this are linked in the random walk, stride-4 pixels",
        rule=RADIUS,
        shapes=LABELS,
    )
    beta: float = setting(
        10, "power of the affinities in the random walk", rule=POSITIVE, shapes=LABELS
    )
    # A walk spreads as the square root of its steps; the demo's grid is 0.38 times VOC's per side,
    # and its objects lie closer together.
    exp_times: int = setting(
        8,
        "2 to this power steps of the random walk",
        rule=NOT_NEGATIVE,
        presets=in_demo(3),
        shapes=LABELS,
    )
    # Displacements are as long as objects are wide, so this scales with the grid, too.
    small_displacement: float = setting(
        2.5,
        "length below which a displacement marks an instance's centre, stride-4 pixels",
        rule=POSITIVE,
        presets=in_demo(1.0),
        shapes=("make_ins_seg_labels",),
    )
    ins_seg_split: bool = setting(
        True,
        "split the CAMs by instances, the pixels of one centroid each; False leaves one map a "
        "class",
        shapes=("make_ins_seg_labels",),
    )
    ins_seg_bg_thres: float = setting(
        0.25,
        "background score of instance labels",
        rule=UNIT,
        presets=in_demo(0.40),
        shapes=("make_ins_seg_labels",),
    )
    sem_seg_bg_thres: float = setting(
        0.25,
        "background score of semantic labels",
        rule=UNIT,
        presets={"coco14_rib": 0.22},
        shapes=("make_sem_seg_labels",),
    )

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
    sweep: str | None = setting(
        None,
        "instead of running stages, measure labels over a grid of settings, as "
        "'sem_seg_bg_thres=0.15:0.35:0.05 beta=5,10', the network running once an image",
        rule=NOT_EMPTY,
    )
    sweep_name: str = place(
        "result/sweep", "--sweep's table and chart are written to this name with .md, .svg appended"
    )

    predict: str | None = setting(
        None,
        "instead of running stages, predict every image in this folder; no data set is needed",
        rule=NOT_EMPTY,
        group="Prediction",
    )
    predict_network: str = setting(
        "mask_rcnn",
        "what predicts: mask_rcnn instances, deeplab labels, irn pseudo labels of the classes that "
        "the classification network finds",
        rule=one_of("mask_rcnn", "deeplab", "irn"),
    )
    predict_score: float = setting(
        0.5, "irn: probability from which on a class is taken to be in an image", rule=UNIT
    )
    predict_long_side: int = setting(
        1024,
        "deeplab and irn: a larger image is shrunk to this long side for the networks, pixels; 0 "
        "shrinks none",
        rule=NOT_NEGATIVE,
    )
    predict_dir: str = place("result/predict", "predictions, in a folder for each network")

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

    def values(self) -> dict[str, Any]:
        """Return every setting by the name of its flag."""
        return {
            name: getattr(getattr(self, found.owner) if found.owner else self, found.member)
            for name, found in SETTINGS.items()
        }

    def with_values(self, values: Mapping[str, Any]) -> "Config":
        """Return the settings with other values of some flags."""
        changed: dict[str, Any] = {}
        for name, new in values.items():
            owner, member = SETTINGS[name].owner, SETTINGS[name].member
            if owner:
                changed[owner] = replace(changed.get(owner, getattr(self, owner)), **{member: new})
            else:
                changed[name] = new
        return replace(self, **changed)


SETTINGS = declared_in(Config)
