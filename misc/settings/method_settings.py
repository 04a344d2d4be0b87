"""The settings of the method, in the order of its stages."""

from dataclasses import dataclass

from misc.settings import trainings
from misc.settings.declare import in_coco, in_demo, setting
from misc.settings.rules import (
    BACKBONES,
    DOUBLINGS,
    PADDING,
    POSITIVE,
    RADIUS,
    SCALES,
    UNIT,
    UNSURE,
    one_of,
)
from misc.settings.stage_names import BACKBONED, LABELS, TRAININGS


@dataclass(frozen=True, kw_only=True)
class CamSettings:
    """The classification network and its maps."""

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
    suggest_thresholds: bool = setting(
        False,
        "eval_cam prints the thresholds that suit the CAMs; without ground truth, a guess",
    )


@dataclass(frozen=True, kw_only=True)
class RelationSettings:
    """Relation labels and IRNet."""

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


@dataclass(frozen=True, kw_only=True)
class SynthesisSettings:
    """Labels out of fields and maps."""

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
        rule=DOUBLINGS,
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
    ins_seg_crf: bool = setting(
        False, "refine instance labels with a dense CRF", shapes=("make_ins_seg_labels",)
    )
    sem_seg_crf: bool = setting(
        False, "refine semantic labels with a dense CRF", shapes=("make_sem_seg_labels",)
    )
    sem_seg_unsure: tuple[float, ...] = setting(
        (),
        "two background scores, as 0.15,0.35: DeepLab ignores the pixels that they decide "
        "differently; '' learns from all",
        rule=UNSURE,
        shapes=("make_sem_seg_labels",),
    )
    ins_seg_gathered: float = setting(
        0,
        "instances whose mean displacement is below this share of their radius, as 0.3, score "
        "less, in proportion; 0 scores by the walk alone",
        rule=UNIT,
        shapes=("make_ins_seg_labels",),
    )
