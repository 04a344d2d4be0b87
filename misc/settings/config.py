"""Every setting of a run, declared once: one frozen dataclass.

The command line, docs/FLAGS.md, the presets and the saved settings are made from it. Defaults are
those of the `voc12` preset: the published settings.
"""

from dataclasses import dataclass
from functools import partial

from misc.settings.cores import usable_cores
from misc.settings.declare import (
    A_PATH,
    CROP,
    DOUBLINGS,
    DROPS,
    IMAGE_ID,
    LONG_SIDE,
    NOT_NEGATIVE,
    PADDING,
    POSITIVE,
    RADIUS,
    SCALES,
    SEED,
    UNIT,
    UNIT_RANGE,
    Rule,
    one_of,
    optional_path,
    output_path,
    setting,
    settings_of,
    some_of,
    stage_flag,
    word_or_module,
)

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
COCO = ("coco14", "coco17")

# Of torchvision; the published networks are ResNet-50s.
BACKBONES = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "wide_resnet50_2",
)

# How class attention maps are made, and the network that makes them: the stage train_NETWORK makes
# NETWORK_weights_name.
CAM_METHODS = {"cam": "cam", "recam": "recam", "lpcam": "lpcam", "advcam": "cam", "amn": "amn"}

# Stages, by what affects their results.
LABELS = ("make_ins_seg_labels", "make_sem_seg_labels")
TRAININGS = ("train_cam", "train_irn", "train_mask_rcnn", "train_deeplab")
# DeepLab's backbone is a setting of its own.
SEED_TRAININGS = ("train_recam", "train_lpcam", "train_amn")
SEEDS = (*SEED_TRAININGS, "make_cam")
BACKBONED = (*TRAININGS[:3], *SEEDS, *LABELS, "eval_mask_rcnn")
NETWORKS = (*TRAININGS, *SEEDS, *LABELS, "eval_mask_rcnn", "eval_deeplab")

# What every training has.
training_crop = partial(setting, help="side of a training crop, pixels")
batch_size = partial(setting, help="batch size", rule=POSITIVE)
epochs = partial(setting, help="epochs over train_list", rule=POSITIVE)
steps = partial(setting, help="training steps", rule=POSITIVE)
weight_decay = partial(setting, help="weight decay", rule=NOT_NEGATIVE)
optimizer = partial(setting, help="optimizer", rule=one_of("sgd", "adamw"))
warmup_steps = partial(setting, help="warmup steps of the learning rate", rule=NOT_NEGATIVE)
eval_steps = partial(setting, help="steps between validations with checkpoint", rule=POSITIVE)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a run; see each field's help."""

    preset: str = setting(
        "voc12",
        "named set of defaults; by default the data set's own",
        group="Run",
        rule=one_of(*PRESETS),
    )
    settings: str | None = optional_path(
        "repeat a run from the JSON of its settings; flags override it"
    )
    device: str = setting("auto", "where networks run", rule=one_of("auto", "cpu", "cuda", "mps"))
    precision: str = setting(
        "fp32",
        "precision of the networks; auto: bf16 where the device computes it natively; tf32: fp32 "
        "with inputs of products rounded (CUDA)",
        rule=one_of("fp32", "tf32", "bf16", "auto"),
        demo="auto",
        affects=NETWORKS,
    )
    num_workers: int = setting(
        usable_cores(),
        "worker processes; 0 does all in the main process; one for each core applies trained "
        "networks, too, on a CPU",
        rule=NOT_NEGATIVE,
    )
    seed: int = setting(
        0,
        "random seed of initial weights, sampling and augmentation",
        rule=SEED,
        affects=(*TRAININGS, *SEED_TRAININGS),
    )
    run_dir: str = setting("", "folder prepended to every output path that no flag names")
    micro_batch: int = setting(
        0,
        "images of a training batch computed at once, for small GPUs; 0: all. Live batch norm "
        "(--pretrained none) and Mask R-CNN's losses average over these alone",
        rule=NOT_NEGATIVE,
    )
    checkpoint_every: float = setting(
        60, "seconds of training between checkpoints", rule=NOT_NEGATIVE
    )
    overwrite: bool = setting(
        False, "replace results of this program made with other settings, and nothing else"
    )
    log_name: str = output_path(
        "sample_train_eval",
        "name of the log, with .log appended, and of the settings, with .settings.json",
    )
    metrics_file: str = output_path("result/metrics.jsonl", "one JSON line per measure")
    details_dir: str = output_path(
        "result/details", "breakdown of the measures: curves, classes and images"
    )
    tensorboard: bool = setting(False, "write the training curves for TensorBoard too")
    tensorboard_dir: str = output_path("result/tensorboard", "folder of TensorBoard's files")

    dataset: str = setting(
        "voc12",
        "data set, or a module with from_config (see ARCHITECTURE.md); by default the preset's, "
        "without both the demo",
        group="Data",
        rule=word_or_module(*DATASETS),
        coco14="coco14",
        coco17="coco17",
        cityscapes="cityscapes",
        folder="folder",
        demo="demo",
    )
    data_root: str | None = optional_path("folder of the data set; of voc12 the devkit's VOC2012")
    voc12_root: str | None = optional_path("the same as --dataset voc12 --data_root")
    sbd_root: str | None = optional_path(
        "SBD's folder, a source of train_aug and of its ground truth", of=("voc12",)
    )
    cityscapes_classes: int = setting(
        8,
        "8: those with instances, everything else is background; 19: all, without a background",
        rule=Rule(lambda value: value in (8, 19), "8 or 19"),
        of=("cityscapes",),
    )
    only_labelled: bool = setting(
        False, "coco: leave images without an image-level label out of train and val", of=COCO
    )
    coco_crowd_labels: bool = setting(True, "coco: crowds count in the image-level label", of=COCO)
    coco_truth: str = setting(
        "json_order",
        "coco: semantic truth, a later annotation over an earlier one, or the smallest on top",
        rule=one_of("json_order", "small_first"),
        of=COCO,
    )
    coco_crowd: str = setting(
        "background",
        "coco: what crowds are in the semantic truth where nothing else is",
        rule=one_of("background", "ignore"),
        of=COCO,
    )
    coco_mask_dir: str | None = optional_path(
        "coco: folder of ready-made semantic masks, in place of the truth of the JSON", of=COCO
    )
    labels: str | None = optional_path(
        "folder: file of the classes in each image, see YOUR_IMAGES.md, or several with commas; by "
        "default sub-folders are the classes",
        of=("folder",),
    )
    strict_labels: bool = setting(
        False,
        "folder: refuse labels of images that are missing, in place of a warning",
        of=("folder",),
    )
    strict_images: bool = setting(
        False,
        "folder: refuse images that cannot be read, in place of a warning",
        of=("folder",),
    )
    class_names: str | None = optional_path(
        "folder: text file of the class names; by default those that occur, sorted", of=("folder",)
    )
    masks: str | None = optional_path(
        "folder: masks of some images, a folder or COCO JSON", of=("folder",)
    )
    val_share: float = setting(
        0.1,
        "folder: share of the images, drawn by --seed, that is val",
        rule=Rule(lambda value: 0 < value < 1, "a number above 0 and below 1"),
        of=("folder",),
    )
    train_list: str = setting(
        "train_aug",
        "split name or file of ids to train on",
        demo="train",
        coco14="train",
        cityscapes="train",
        folder="train",
        affects=("train_cam", *SEED_TRAININGS, "train_irn"),
    )
    val_list: str = setting("val", "split name or file of ids to validate on")
    infer_list: str = setting(
        "train",
        "split name or file of ids to make labels for",
        affects=("train_mask_rcnn", "train_deeplab"),
    )
    chainer_eval_set: str = setting("train", "split name or file of ids to evaluate on")
    demo_root: str = output_path("result/VOC2012", "folder of the demo data")
    demo_seed: int = setting(0, "random seed of the demo data", rule=NOT_NEGATIVE)
    demo_train_images: int = setting(400, "images in the demo's train split", rule=POSITIVE)
    demo_val_images: int = setting(40, "images in the demo's val split", rule=POSITIVE)

    backbone: str = setting(
        "resnet50",
        "ResNet of all networks, torchvision's; the published figures are resnet50's",
        group="Classification network and class attention maps",
        rule=one_of(*BACKBONES),
        demo="resnet18",
        affects=BACKBONED,
    )
    pretrained: str = setting(
        "imagenet",
        "imagenet (downloaded by torchvision), a file of the backbone's weights in "
        "torchvision's names, or none: from scratch",
        demo="none",
        affects=(*TRAININGS, "train_recam", "train_amn"),
    )
    cam_method: str = setting(
        "cam",
        "how maps are made; each brings its thresholds, see METHOD.md",
        rule=one_of(*CAM_METHODS),
        # For --predict the weights of IRNet, too, name the maps that they are for.
        affects=("make_cam", *LABELS),
    )
    cam_network: str = setting(
        "net.resnet50_cam", "module with Net and CAM", affects=("train_cam", *SEEDS)
    )
    cam_crop_size: int = training_crop(
        512,
        rule=CROP,
        demo=80,
        cityscapes=768,
        affects=("train_cam", "train_recam", "train_amn"),
    )
    cam_resize_long: tuple[int, ...] = setting(
        (320, 640),
        "range of an image's long side in training, pixels",
        rule=LONG_SIDE,
        demo=(80, 128),
        cityscapes=(512, 1024),
        affects=("train_cam", "train_recam"),
    )
    cam_batch_size: int = batch_size(16, demo=8, affects=("train_cam", "train_recam", "train_amn"))
    cam_num_epoches: int = epochs(5, demo=6, affects=("train_cam",))
    cam_learning_rate: float = setting(
        0.1,
        "learning rate of the backbone; ten times that for the classifier (sgd)",
        rule=POSITIVE,
        demo=0.001,
        affects=("train_cam",),
    )
    cam_weight_decay: float = weight_decay(0.0001, demo=0.05, affects=("train_cam", "train_recam"))
    cam_momentum: float = setting(
        0.0001,
        "SGD momentum, as published: see METHOD.md",
        rule=UNIT,
        affects=("train_cam", "train_recam"),
    )
    cam_optimizer: str = optimizer("sgd", demo="adamw", affects=("train_cam", "train_recam"))
    cam_warmup_steps: int = warmup_steps(0, demo=80, affects=("train_cam",))
    cam_scales: tuple[float, ...] = setting(
        (1.0, 0.5, 1.5, 2.0),
        "image scales whose maps are summed",
        rule=SCALES,
        demo=(1.0, 0.5, 1.5),
        cityscapes=(1.0, 0.5),
        affects=("train_lpcam", "make_cam"),
    )
    cam_eval_thres: float = setting(
        0.15,
        "background score in eval_cam",
        rule=UNIT,
        recam=0.21,
        coco14_recam=0.15,
        lpcam=0.3,
        amn=0.25,
    )
    suggest_thresholds: bool = setting(False, "eval_cam prints the thresholds that suit the CAMs")

    recam_num_epoches: int = epochs(4, of=("recam",), affects=("train_recam",))
    recam_learning_rate: float = setting(
        5e-5,
        "learning rate; ten times that for the new classifier (sgd)",
        rule=POSITIVE,
        demo=0.0001,
        of=("recam",),
        affects=("train_recam",),
    )
    lpcam_images: int = setting(
        100, "most images of a class", rule=POSITIVE, of=("lpcam",), affects=("train_lpcam",)
    )
    lpcam_clusters: int = setting(
        12,
        "clusters of a class, and of its context",
        rule=POSITIVE,
        coco14=20,
        of=("lpcam",),
        affects=("train_lpcam",),
    )
    lpcam_cam_thres: float = setting(
        0.1,
        "CAM that separates a class from its context",
        rule=UNIT,
        coco14=0.25,
        of=("lpcam",),
        affects=("train_lpcam",),
    )
    lpcam_context_prob: tuple[float, ...] = setting(
        (0.05, 0.9),
        "range of the probabilities of a context's clusters",
        rule=UNIT_RANGE,
        coco14=(0.0, 0.5),
        of=("lpcam",),
        affects=("train_lpcam",),
    )

    advcam_iterations: int = setting(
        27,
        "maps of a class that are summed at each scale; half of them at scales below 1",
        rule=POSITIVE,
        of=("advcam",),
        affects=("make_cam", *LABELS),
    )

    amn_label_dir: str = setting(
        "result/ir_label",
        "relation labels of an earlier run; not moved by --run_dir",
        rule=A_PATH,
        demo="result/demo/ir_label",
        of=("amn",),
    )
    amn_num_epoches: int = epochs(5, of=("amn",), affects=("train_amn",))
    amn_learning_rate: float = setting(
        5e-6,
        "learning rate; twenty times that for new layers",
        rule=POSITIVE,
        demo=5e-5,
        of=("amn",),
        affects=("train_amn",),
    )

    conf_fg_thres: float = setting(
        0.3,
        "background score for confident foreground",
        group="Inter-pixel relations and IRNet",
        rule=UNIT,
        coco14=0.35,
        folder=0.35,
        recam=0.35,
        lpcam=0.45,
        advcam=0.35,
        amn=0.45,
        affects=("cam_to_ir_label",),
    )
    conf_bg_thres: float = setting(
        0.05,
        "background score for confident background",
        rule=UNIT,
        demo=0.1,
        coco14=0.1,
        coco14_rib=0.17,
        folder=0.1,
        recam=0.1,
        lpcam=0.25,
        advcam=0.15,
        amn=0.15,
        affects=("cam_to_ir_label",),
    )
    crf: str = setting(
        "torch",
        "dense CRF implementation: torch, or the package pydensecrf (the same labels)",
        rule=one_of("torch", "pydensecrf"),
        affects=("cam_to_ir_label", "eval_deeplab"),
    )
    irn_network: str = setting(
        "net.resnet50_irn",
        "module with AffinityDisplacementLoss and EdgeDisplacement",
        affects=("train_irn", *LABELS),
    )
    irn_crop_size: int = training_crop(512, rule=CROP, demo=80, affects=("train_irn",))
    # Pairs across neighbouring objects mislead; the demo's grid is 0.26 times VOC's per side.
    irn_radius: int = setting(
        10,
        "largest distance of the pixels of a pair, stride-4 pixels",
        rule=RADIUS,
        demo=4,
        affects=("train_irn",),
    )
    irn_batch_size: int = batch_size(32, voc12_author=16, demo=4, folder=16, affects=("train_irn",))
    irn_num_epoches: int = epochs(3, voc12_author=5, demo=12, folder=5, affects=("train_irn",))
    irn_learning_rate: float = setting(
        0.1,
        "learning rate of the boundary branch; ten times that for the displacement branch (sgd)",
        rule=POSITIVE,
        demo=0.003,
        affects=("train_irn",),
    )
    irn_weight_decay: float = weight_decay(0.0001, affects=("train_irn",))
    irn_momentum: float = setting(
        0.0001,
        "SGD momentum, as published: see METHOD.md",
        rule=UNIT,
        affects=("train_irn",),
    )
    irn_optimizer: str = optimizer("sgd", demo="adamw", affects=("train_irn",))
    irn_warmup_steps: int = warmup_steps(0, demo=20, affects=("train_irn",))

    irn_pad: int = setting(
        512,
        "side that IRNet pads a smaller image to for its labels, pixels; 0 pads to a multiple "
        "of 16 alone",
        group="Label synthesis",
        rule=PADDING,
        demo=128,
        coco14=0,
        folder=0,
        affects=LABELS,
    )
    cam_power: float = setting(
        1,
        "power of the normalised CAMs before the random walk",
        rule=POSITIVE,
        coco14_rib=1.3,
        advcam=1.5,
        amn=1.3,
        affects=LABELS,
    )
    walk: bool = setting(
        True,
        "propagate the CAMs by the random walk; False makes labels of them as they are",
        affects=LABELS,
    )
    walk_radius: int = setting(
        5,
        "pixels nearer than this are linked in the random walk, stride-4 pixels",
        rule=RADIUS,
        affects=LABELS,
    )
    beta: float = setting(
        10, "power of the affinities in the random walk", rule=POSITIVE, folder=20, affects=LABELS
    )
    # A walk spreads as the square root of its steps; the demo's grid is 0.26 times VOC's per side,
    # and its objects lie closer together.
    exp_times: int = setting(
        8, "2 to this power steps of the random walk", rule=DOUBLINGS, demo=3, affects=LABELS
    )
    # Displacements are as long as objects are wide, so this scales with the grid, too. Those of the
    # demo's short training are shorter.
    small_displacement: float = setting(
        2.5,
        "length below which a displacement marks an instance's centre, stride-4 pixels",
        rule=POSITIVE,
        demo=0.3,
        affects=("make_ins_seg_labels",),
    )
    ins_seg_split: bool = setting(
        True,
        "split the CAMs by centroids into instances; False keeps one map a class",
        affects=("make_ins_seg_labels",),
    )
    ins_seg_bg_thres: float = setting(
        0.25,
        "background score of instance labels",
        rule=UNIT,
        demo=0.4,
        affects=("make_ins_seg_labels",),
    )
    sem_seg_bg_thres: float = setting(
        0.25,
        "background score of semantic labels",
        rule=UNIT,
        demo=0.4,
        coco14_rib=0.22,
        recam=0.28,
        coco14_recam=0.25,
        lpcam=0.35,
        amn=0.25,
        affects=("make_sem_seg_labels",),
    )
    walk_background: float = setting(
        0,
        "in place of both background scores, the background walks, too: (1 - the largest CAM) to "
        "this power, for example 8",
        rule=NOT_NEGATIVE,
        folder=8,
        # Of higher maps it would leave no background: these methods bring their thresholds.
        recam=0,
        lpcam=0,
        advcam=0,
        amn=0,
        affects=LABELS,
    )
    ins_seg_score: str = setting(
        "peak",
        "score of an instance: the peak or the mean of its walked scores",
        rule=one_of("peak", "mean"),
        coco14="mean",
        folder="mean",
        affects=("make_ins_seg_labels",),
    )
    ins_seg_min_area: float = setting(
        0.01,
        "fraction of the image below which an instance's score is 0",
        rule=UNIT,
        folder=0.002,
        affects=("make_ins_seg_labels",),
    )
    ins_seg_crf: bool = setting(
        False, "refine instance labels with a dense CRF", affects=("make_ins_seg_labels",)
    )
    sem_seg_crf: bool = setting(
        False, "refine semantic labels with a dense CRF", affects=("make_sem_seg_labels",)
    )

    supervision: tuple[str, ...] = setting(
        ("irn",),
        "labels to train on, each in turn: irn (ours), cam (components of the CAMs at "
        "--cam_eval_thres, the lower bound), full (ground truth, the upper bound)",
        group="Networks trained on the labels",
        rule=some_of("irn", "cam", "full"),
    )
    mask_rcnn_steps: int = steps(18000, demo=160, affects=("train_mask_rcnn",))
    mask_rcnn_drops: tuple[int, ...] = setting(
        (12000, 16000),
        "steps after which the learning rate is divided by ten; '' keeps it constant",
        rule=DROPS,
        demo=(120, 145),
        affects=("train_mask_rcnn",),
    )
    mask_rcnn_batch_size: int = batch_size(4, affects=("train_mask_rcnn",))
    mask_rcnn_learning_rate: float = setting(
        0.01, "learning rate", rule=POSITIVE, affects=("train_mask_rcnn",)
    )
    mask_rcnn_weight_decay: float = weight_decay(0.0001, affects=("train_mask_rcnn",))
    mask_rcnn_momentum: float = setting(
        0.9, "SGD momentum", rule=UNIT, affects=("train_mask_rcnn",)
    )
    mask_rcnn_optimizer: str = optimizer("sgd", affects=("train_mask_rcnn",))
    mask_rcnn_warmup_steps: int = warmup_steps(500, demo=50, affects=("train_mask_rcnn",))
    mask_rcnn_min_size: int = setting(
        512,
        "short side that images are resized to, pixels",
        rule=POSITIVE,
        demo=96,
        cityscapes=800,
        affects=("train_mask_rcnn", "eval_mask_rcnn"),
    )
    mask_rcnn_max_size: int = setting(
        800,
        "upper limit of the long side, pixels",
        rule=POSITIVE,
        demo=128,
        cityscapes=1600,
        affects=("train_mask_rcnn", "eval_mask_rcnn"),
    )
    mask_rcnn_sampled_boxes: int = setting(
        512,
        "proposals sampled per image to train the heads",
        rule=POSITIVE,
        demo=16,
        affects=("train_mask_rcnn",),
    )
    mask_rcnn_channels: int = setting(
        256,
        "channels of the feature pyramid and the heads",
        rule=POSITIVE,
        demo=64,
        affects=("train_mask_rcnn", "eval_mask_rcnn"),
    )
    mask_rcnn_eval_steps: int = eval_steps(2000, demo=80)
    mask_rcnn_server_list: str = setting(
        "", "split to detect for the evaluation server, for example test"
    )
    deeplab_backbone: str | None = setting(
        None,
        "ResNet of DeepLab; by default that of --backbone",
        rule=one_of(*BACKBONES),
        affects=("train_deeplab", "eval_deeplab"),
    )
    deeplab_output_stride: int = setting(
        8,
        "image pixels for one pixel of DeepLab's maps; 16: steps take about 0.4 of the time",
        rule=Rule(lambda value: value in (8, 16), "8 or 16"),
        demo=16,
        affects=("train_deeplab", "eval_deeplab"),
    )
    deeplab_steps: int = steps(20000, demo=160, affects=("train_deeplab",))
    deeplab_batch_size: int = batch_size(10, demo=4, affects=("train_deeplab",))
    deeplab_crop_size: int = training_crop(321, rule=POSITIVE, demo=96, affects=("train_deeplab",))
    deeplab_learning_rate: float = setting(
        0.00025,
        "learning rate of the backbone; ten times that for the classifier (sgd)",
        rule=POSITIVE,
        demo=0.0005,
        affects=("train_deeplab",),
    )
    deeplab_weight_decay: float = weight_decay(0.0005, demo=0.01, affects=("train_deeplab",))
    deeplab_momentum: float = setting(0.9, "SGD momentum", rule=UNIT, affects=("train_deeplab",))
    deeplab_optimizer: str = optimizer("sgd", demo="adamw", affects=("train_deeplab",))
    deeplab_warmup_steps: int = warmup_steps(0, demo=20, affects=("train_deeplab",))
    deeplab_eval_steps: int = eval_steps(2000, demo=80)
    deeplab_scales: tuple[float, ...] = setting(
        (0.5, 0.75, 1.0, 1.25, 1.5),
        "test-time image scales whose probabilities are averaged",
        rule=SCALES,
        demo=(1.0,),
        cityscapes=(0.5, 0.75, 1.0),
        affects=("eval_deeplab",),
    )
    deeplab_crf: bool = setting(
        True, "refine DeepLab's predictions with a dense CRF", affects=("eval_deeplab",)
    )
    deeplab_server_list: str = setting(
        "", "split to pack for the evaluation server, for example test"
    )

    cam_weights_name: str = output_path(
        "sess/res50_cam.pth", "weights of the classification network", group="Files"
    )
    recam_weights_name: str = output_path("sess/recam.pth", "weights of ReCAM", of=("recam",))
    lpcam_weights_name: str = output_path("sess/lpcam.pth", "weights of LPCAM", of=("lpcam",))
    amn_weights_name: str = output_path("sess/amn.pth", "weights of AMN", of=("amn",))
    irn_weights_name: str = output_path("sess/res50_irn.pth", "weights of IRNet")
    cam_out_dir: str = output_path(
        "result/cam", "CAMs, ours or of another method (.npz, .npy, .pt, .png), see YOUR_CAMS.md"
    )
    cam_format: str = setting(
        "npz", "npy: make_cam writes the published ID.npy, too", rule=one_of("npz", "npy")
    )
    ir_label_out_dir: str = output_path("result/ir_label", "relation labels")
    ins_seg_out_dir: str = output_path("result/ins_seg", "instance labels")
    ins_seg_format: str = setting(
        "npz", "npy: the published ID.npy, too", rule=one_of("npz", "npy")
    )
    sem_seg_out_dir: str = output_path("result/sem_seg", "semantic labels")
    coco_name: str = output_path(
        "result/instances", "name of COCO annotations, with _SPLIT.json appended"
    )
    coco_polygons: bool = setting(False, "write polygons, which fill holes, in COCO annotations")
    mask_rcnn_weights_name: str = output_path("sess/mask_rcnn.pth", "weights of Mask R-CNN")
    mask_rcnn_out_dir: str = output_path("result/mask_rcnn", "Mask R-CNN's detections on val_list")
    mask_rcnn_server_dir: str = output_path(
        "result/mask_rcnn_server", "the detections of --mask_rcnn_server_list"
    )
    deeplab_weights_name: str = output_path("sess/deeplab.pth", "weights of DeepLab")
    deeplab_out_dir: str = output_path("result/deeplab", "DeepLab's labels on val_list")
    deeplab_server_dir: str = output_path("result/server", "the archive of --deeplab_server_list")
    tables_file: str = output_path(
        "result/TABLES.md", "the tables of all measures; .csv and .tex lie beside it"
    )
    report_file: str = output_path("result/report.html", "the page that the stage report writes")
    report_images: int = setting(
        24, "images in the report's gallery, and of --compare", rule=POSITIVE
    )

    dry_run: bool = setting(
        False,
        "read and check all inputs of the chosen stages, report, and stop",
        group="Trying and looking",
    )
    limit: int | None = setting(
        None, "use only this many first images of every list", rule=POSITIVE
    )
    show_dir: str = output_path("result/show", "where --show writes its pictures")
    show: str | None = setting(
        None, "instead of running stages, draw this image through all of them", rule=IMAGE_ID
    )
    tables: bool = setting(
        False, "instead of running stages, write the tables of the measures in --metrics_file"
    )
    compare: tuple[str, ...] | None = setting(
        None,
        "instead of running stages, compare the runs in these folders, for example runs/a,runs/b",
        rule=Rule(lambda names: len(set(names)) == len(names) > 1, "two different runs or more"),
    )
    compare_file: str = output_path("result/compare.html", "the page that --compare writes")
    sweep: str | None = setting(
        None,
        "instead of running stages, measure labels over a grid of settings, for example "
        "'sem_seg_bg_thres=0.15:0.35:0.05 beta=5,10'",
    )
    sweep_dir: str = output_path("result/sweep", "table and chart of --sweep")

    predict: str | None = setting(
        None,
        "instead of running stages, predict every image in this folder",
        group="Prediction",
        rule=A_PATH,
    )
    predict_network: str = setting(
        "mask_rcnn",
        "what predicts: mask_rcnn instances, deeplab labels, irn pseudo labels",
        rule=one_of("mask_rcnn", "deeplab", "irn"),
    )
    predict_score: float = setting(
        0.5,
        "mask_rcnn: least score of an instance; irn: least probability of a class in an image",
        rule=UNIT,
        of=("mask_rcnn", "irn"),
    )
    predict_long_side: int = setting(
        1024,
        "deeplab and irn: long side that larger images are shrunk to, pixels; 0 shrinks none",
        rule=NOT_NEGATIVE,
        of=("deeplab", "irn"),
    )
    predict_dir: str = output_path("result/predict", "predictions, in a folder for each network")
    export: str | None = setting(
        None,
        "instead of running stages, write the trained networks to this folder for other programs",
        rule=A_PATH,
    )

    train_cam_pass: bool | None = stage_flag(
        "train_cam",
        group="Stages: none given runs all; any True runs only those; only False all the others",
    )
    train_recam_pass: bool | None = stage_flag("train_recam", of=("recam",))
    train_lpcam_pass: bool | None = stage_flag("train_lpcam", of=("lpcam",))
    train_amn_pass: bool | None = stage_flag("train_amn", of=("amn",))
    make_cam_pass: bool | None = stage_flag("make_cam")
    eval_cam_pass: bool | None = stage_flag("eval_cam")
    cam_to_ir_label_pass: bool | None = stage_flag("cam_to_ir_label")
    train_irn_pass: bool | None = stage_flag("train_irn")
    make_ins_seg_pass: bool | None = stage_flag("make_ins_seg_labels")
    eval_ins_seg_pass: bool | None = stage_flag("eval_ins_seg")
    make_sem_seg_pass: bool | None = stage_flag("make_sem_seg_labels")
    eval_sem_seg_pass: bool | None = stage_flag("eval_sem_seg")
    make_cocoann_pass: bool | None = stage_flag("make_cocoann")
    train_mask_rcnn_pass: bool | None = stage_flag("train_mask_rcnn")
    eval_mask_rcnn_pass: bool | None = stage_flag("eval_mask_rcnn")
    train_deeplab_pass: bool | None = stage_flag("train_deeplab")
    eval_deeplab_pass: bool | None = stage_flag("eval_deeplab")
    report_pass: bool | None = stage_flag("report")

    def runs_stage(self, flag: str) -> bool:
        """Return whether a stage's flag, with the others, says that it runs."""
        if not self.applies(flag):
            return False
        passes = {name: value for name, value in vars(self).items() if name.endswith("_pass")}
        if True in passes.values():
            return passes[flag] is True
        return passes[flag] is not False

    def applies(self, name: str) -> bool:
        """Return whether a setting, or a stage's flag, is not of another --cam_method alone."""
        methods = set(SETTINGS[name].of).intersection(CAM_METHODS)
        return not methods or self.cam_method in methods


SETTINGS = settings_of(Config)
