"""The settings of the four trainings: what they have alike, and what each has of its own."""

from dataclasses import dataclass

from misc.settings.declare import EACH, setting, settings_group, value
from misc.settings.rules import CROP, DROPS, LONG_SIDE, NOT_NEGATIVE, POSITIVE, RADIUS, UNIT, one_of

_PUBLISHED = "SGD momentum; the published program's value, see CHANGELOG"
_RATES = "learning rate of the {}; ten times that for the {} (sgd)"
_CROP_SIZE = "side of a training crop, pixels"


@dataclass(frozen=True, kw_only=True)
class Training:
    """What every training has: --cam_batch_size, --irn_batch_size and so on.

    Its length is given in epochs or in steps; what it is not given in is 0, and has no flag.
    """

    num_epoches: int = setting(0, "epochs over train_list", rule=POSITIVE)
    steps: int = setting(0, "training steps", rule=POSITIVE)
    batch_size: int = setting(EACH, "batch size", rule=POSITIVE)
    learning_rate: float = setting(EACH, "learning rate", rule=POSITIVE)
    weight_decay: float = setting(EACH, "weight decay", rule=NOT_NEGATIVE)
    momentum: float = setting(EACH, "SGD momentum", rule=UNIT)
    optimizer: str = setting(EACH, "optimizer", rule=one_of("sgd", "adamw"))
    warmup_steps: int = setting(EACH, "warmup steps of the learning rate", rule=NOT_NEGATIVE)


@dataclass(frozen=True, kw_only=True)
class CamTraining(Training):
    """What shapes the classification network."""

    crop_size: int = setting(EACH, _CROP_SIZE, rule=CROP)
    resize_long: tuple[int, ...] = setting(
        EACH, "range of an image's long side in training, pixels", rule=LONG_SIDE
    )


@dataclass(frozen=True, kw_only=True)
class IrnTraining(Training):
    """What shapes IRNet."""

    crop_size: int = setting(EACH, _CROP_SIZE, rule=CROP)
    radius: int = setting(
        EACH, "largest distance of the pixels of a pair, stride-4 pixels", rule=RADIUS
    )


@dataclass(frozen=True, kw_only=True)
class MaskRcnnTraining(Training):
    """What shapes Mask R-CNN."""

    drops: tuple[int, ...] = setting(
        EACH,
        "steps after which the learning rate is divided by ten; '' keeps it constant",
        rule=DROPS,
    )
    min_size: int = setting(EACH, "short side that images are resized to, pixels", rule=POSITIVE)
    max_size: int = setting(EACH, "upper limit of the long side, pixels", rule=POSITIVE)
    sampled_boxes: int = setting(
        EACH, "proposals sampled per image to train the heads", rule=POSITIVE
    )
    channels: int = setting(EACH, "channels of the feature pyramid and the heads", rule=POSITIVE)


@dataclass(frozen=True, kw_only=True)
class DeepLabTraining(Training):
    """What shapes DeepLab."""

    crop_size: int = setting(EACH, _CROP_SIZE, rule=POSITIVE)


CAM = settings_group(
    CamTraining,
    shapes=("train_cam",),
    crop_size=value(512, demo=160, cityscapes=768),
    resize_long=value((320, 640), demo=(144, 248), cityscapes=(512, 1024)),
    batch_size=value(16, demo=8),
    num_epoches=value(5, demo=10),
    learning_rate=value(0.1, demo=1e-3, help=_RATES.format("backbone", "classifier")),
    weight_decay=value(1e-4, demo=0.05),
    momentum=value(1e-4, help=_PUBLISHED),
    optimizer=value("sgd", demo="adamw"),
    warmup_steps=value(0, demo=80),
)

IRN = settings_group(
    IrnTraining,
    shapes=("train_irn",),
    crop_size=value(512, demo=160),
    # Pairs across neighbouring objects mislead; the demo's grid is 0.38 times VOC's per side.
    radius=value(10, demo=5),
    batch_size=value(32, voc12_author=16, demo=8, folder=16),
    num_epoches=value(3, voc12_author=5, demo=14, folder=5),
    learning_rate=value(
        0.1, demo=1e-2, help=_RATES.format("boundary branch", "displacement branch")
    ),
    weight_decay=value(1e-4),
    momentum=value(1e-4, help=_PUBLISHED),
    optimizer=value("sgd", demo="adamw"),
    warmup_steps=value(0, demo=20),
)

MASK_RCNN = settings_group(
    MaskRcnnTraining,
    shapes=("train_mask_rcnn",),
    steps=value(18000, demo=200),
    drops=value((12000, 16000), demo=(150, 185)),
    batch_size=value(4, demo=8),
    learning_rate=value(0.01),
    weight_decay=value(1e-4),
    momentum=value(0.9),
    optimizer=value("sgd"),
    warmup_steps=value(500, demo=50),
    min_size=value(512, demo=144, cityscapes=800, shapes=("eval_mask_rcnn",)),
    max_size=value(800, demo=192, cityscapes=1600, shapes=("eval_mask_rcnn",)),
    sampled_boxes=value(512, demo=16),
    channels=value(256, demo=64, shapes=("eval_mask_rcnn",)),
)

DEEPLAB = settings_group(
    DeepLabTraining,
    shapes=("train_deeplab",),
    steps=value(20000, demo=150),
    batch_size=value(10, demo=4),
    crop_size=value(321, demo=160),
    learning_rate=value(2.5e-4, demo=2e-4, help=_RATES.format("backbone", "classifier")),
    weight_decay=value(5e-4, demo=0.01),
    momentum=value(0.9),
    optimizer=value("sgd", demo="adamw"),
    warmup_steps=value(0, demo=20),
)
