"""Every setting of a run, declared once.

The command line, the README's table, the presets and the saved settings are made from `Config`.
Defaults are those of the `voc12` preset: the published settings.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """Which values a setting takes: a test, and the words for it."""

    holds: Callable[[Any], bool]
    accepted: str


POSITIVE = Rule(lambda value: value > 0, "a number above 0")
NOT_NEGATIVE = Rule(lambda value: value >= 0, "0 or more")
UNIT = Rule(lambda value: 0 <= value <= 1, "a number from 0 to 1")
CROP = Rule(lambda value: value > 0 and value % 16 == 0, "a positive multiple of 16")
SCALES = Rule(lambda values: len(values) > 0 and min(values) > 0, "numbers above 0, as 1.0,0.5")
LONG_SIDE = Rule(
    lambda values: len(values) == 2 and 0 < values[0] <= values[1],
    "the smallest and the largest length, as 320,640",
)


def one_of(*choices: str) -> Rule:
    """Take one of a few words."""
    return Rule(lambda value: value in choices, " or ".join(choices))


def setting(
    default: Any, help: str, *, rule: Rule | None = None, presets: Mapping[str, Any] | None = None
) -> Any:
    """Declare a setting: its default (the voc12 preset's), its help line, other presets' values."""
    return field(default=default, metadata={"help": help, "rule": rule, "presets": presets or {}})


def in_demo(value: Any) -> dict[str, Any]:
    """Name the value that the demo preset uses instead."""
    return {"demo": value}


def place(default: str, help: str) -> Any:
    """Declare where something is written; the demo preset and --run_dir move it as a whole."""
    first, *rest = default.split("/")
    demo = "/".join([first, "demo", *rest]) if rest else f"result/demo/{first}"
    metadata = {"help": help, "rule": None, "presets": {"demo": demo}, "place": True}
    return field(default=default, metadata=metadata)


def stage_pass(stage: str) -> Any:
    """Declare the flag that switches a stage on or off."""
    return setting(None, f"run the stage {stage}")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a run; see each field's help."""

    # Run
    preset: str = setting(
        "voc12",
        "named set of defaults; demo where no --voc12_root is given",
        rule=one_of("voc12", "voc12_author", "demo"),
    )
    device: str = setting("auto", "where networks run", rule=one_of("auto", "cpu", "cuda", "mps"))
    precision: str = setting(
        "fp32",
        "arithmetic of the networks; auto is bf16 where the device computes it natively",
        rule=one_of("fp32", "bf16", "auto"),
        presets=in_demo("auto"),
    )
    num_workers: int = setting(
        os.cpu_count() or 1, "loader processes; 0 loads in the main process", rule=NOT_NEGATIVE
    )
    seed: int = setting(
        0, "initial weights, sampling and augmentation follow from it", rule=NOT_NEGATIVE
    )
    run_dir: str = setting("", "folder before every place below that no flag names")
    overwrite: bool = setting(False, "replace results that were made with other settings")
    log_name: str = place("sample_train_eval", "the log is written to this name with .log appended")
    metrics_file: str = place("result/metrics.jsonl", "one line for each measure")

    # Data
    voc12_root: str | None = setting(
        None, "the devkit's VOC2012 folder; without it the demo data are made and used"
    )
    sbd_root: str | None = setting(None, "SBD's folder, if train_aug is to be taken from it")
    train_list: str = setting(
        "train_aug",
        "split name or file of ids to train on",
        presets=in_demo("train"),
    )
    val_list: str = setting("val", "split name or file of ids to validate on")
    infer_list: str = setting("train", "split name or file of ids to make labels for")
    chainer_eval_set: str = setting("train", "split name or file of ids to evaluate on")
    cache_dir: str = place("result/cache", "image-level labels are kept here once read")
    demo_root: str = place("result/VOC2012", "where the demo data are made")
    demo_seed: int = setting(0, "the demo data follow from it", rule=NOT_NEGATIVE)
    demo_train_images: int = setting(400, "demo images in its train split", rule=POSITIVE)
    demo_val_images: int = setting(40, "demo images in its val split", rule=POSITIVE)

    # Classification network and class attention maps
    pretrained: str = setting(
        "imagenet",
        "imagenet (downloaded by torchvision), a ResNet-50 weights file, or none: train whole",
        presets=in_demo("none"),
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
    cam_batch_size: int = setting(16, "images a step", rule=POSITIVE, presets=in_demo(8))
    cam_num_epoches: int = setting(5, "passes over train_list", rule=POSITIVE, presets=in_demo(12))
    cam_learning_rate: float = setting(
        0.1,
        "of the backbone; the classifier's is ten times it (sgd)",
        rule=POSITIVE,
        presets=in_demo(1e-3),
    )
    cam_weight_decay: float = setting(
        1e-4, "decay of the weights", rule=NOT_NEGATIVE, presets=in_demo(0.05)
    )
    cam_momentum: float = setting(
        1e-4, "of sgd; the published program's value, see CHANGELOG", rule=UNIT
    )
    cam_optimizer: str = setting(
        "sgd", "update rule", rule=one_of("sgd", "adamw"), presets=in_demo("adamw")
    )
    cam_warmup_steps: int = setting(
        0, "steps over which the rate rises", rule=NOT_NEGATIVE, presets=in_demo(80)
    )
    cam_scales: tuple[float, ...] = setting(
        (1.0, 0.5, 1.5, 2.0),
        "image scales whose maps are summed",
        rule=SCALES,
        presets=in_demo((1.0, 0.5, 1.5)),
    )
    cam_eval_thres: float = setting(0.15, "background score in eval_cam", rule=UNIT)

    # Inter-pixel relations and IRNet
    conf_fg_thres: float = setting(0.30, "background score for confident foreground", rule=UNIT)
    conf_bg_thres: float = setting(
        0.05, "background score for confident background", rule=UNIT, presets=in_demo(0.10)
    )
    irn_network: str = setting(
        "net.resnet50_irn", "module with Net, AffinityDisplacementLoss and EdgeDisplacement"
    )
    irn_crop_size: int = setting(
        512, "side of a training crop, pixels", rule=CROP, presets=in_demo(160)
    )
    irn_batch_size: int = setting(
        32, "images a step", rule=POSITIVE, presets={"voc12_author": 16, "demo": 16}
    )
    irn_num_epoches: int = setting(
        3, "passes over train_list", rule=POSITIVE, presets={"voc12_author": 5, "demo": 16}
    )
    irn_learning_rate: float = setting(
        0.1,
        "of the boundary branch; the displacement branch's is ten times it (sgd)",
        rule=POSITIVE,
        presets=in_demo(1.5e-2),
    )
    irn_weight_decay: float = setting(1e-4, "decay of the weights", rule=NOT_NEGATIVE)
    irn_momentum: float = setting(
        1e-4, "of sgd; the published program's value, see CHANGELOG", rule=UNIT
    )
    irn_optimizer: str = setting(
        "sgd", "update rule", rule=one_of("sgd", "adamw"), presets=in_demo("adamw")
    )
    irn_warmup_steps: int = setting(
        0, "steps over which the rate rises", rule=NOT_NEGATIVE, presets=in_demo(20)
    )

    # Label synthesis
    beta: float = setting(10, "power of the affinities in the walk", rule=POSITIVE)
    # A walk spreads as the square root of its steps: the demo's grid is 0.38 times VOC's a side.
    exp_times: int = setting(
        8, "the walk takes 2 to this power steps", rule=NOT_NEGATIVE, presets=in_demo(5)
    )
    ins_seg_bg_thres: float = setting(0.25, "background score of instance labels", rule=UNIT)
    sem_seg_bg_thres: float = setting(0.25, "background score of semantic labels", rule=UNIT)

    # Files
    cam_weights_name: str = place("sess/res50_cam.pth", "weights of the classification network")
    irn_weights_name: str = place("sess/res50_irn.pth", "weights of IRNet")
    cam_out_dir: str = place("result/cam", "CAMs, ours (.npz) or of another method (.npy)")
    ir_label_out_dir: str = place("result/ir_label", "relation labels")
    ins_seg_out_dir: str = place("result/ins_seg", "instance labels")
    sem_seg_out_dir: str = place("result/sem_seg", "semantic labels")
    show_dir: str = place("result/show", "where --show writes its pictures")
    show: str | None = setting(
        None, "instead of running stages, draw this image through all of them"
    )

    # Stages: none given runs all; any True runs only those; only False runs all the others
    train_cam_pass: bool | None = stage_pass("train_cam")
    make_cam_pass: bool | None = stage_pass("make_cam")
    eval_cam_pass: bool | None = stage_pass("eval_cam")
    cam_to_ir_label_pass: bool | None = stage_pass("cam_to_ir_label")
    train_irn_pass: bool | None = stage_pass("train_irn")
    make_ins_seg_pass: bool | None = stage_pass("make_ins_seg_labels")
    eval_ins_seg_pass: bool | None = stage_pass("eval_ins_seg")
    make_sem_seg_pass: bool | None = stage_pass("make_sem_seg_labels")
    eval_sem_seg_pass: bool | None = stage_pass("eval_sem_seg")

    def asked(self, flag: str) -> bool:
        """Whether a stage's flag, with the others, says that it runs."""
        passes = {name: value for name, value in vars(self).items() if name.endswith("_pass")}
        if True in passes.values():
            return passes[flag] is True
        return passes[flag] is not False
