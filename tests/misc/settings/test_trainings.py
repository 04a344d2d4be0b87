"""The flags of the four trainings, which the groups of misc.settings.trainings declare."""

import pytest

from misc.settings.config import SETTINGS, Config
from misc.settings.flags import defaults, read_config
from misc.settings.typed import kind
from step import STAGES

SIDE = "side of a training crop, pixels"
RATES = "learning rate of the {}; ten times that for the {} (sgd)"
PUBLISHED = "SGD momentum; the published program's value, see CHANGELOG"
WARMUP = "warmup steps of the learning rate"
ABOVE, FROM_0, UNIT = "a number above 0", "0 or more", "a number from 0 to 1"
# As each was declared by itself: flag, type, default, other presets' defaults, accepted, help.
FLAGS = [
    ("cam_crop_size", "int", 512, {"demo": 160}, "a positive multiple of 16", SIDE),
    (
        "cam_resize_long",
        "int,...",
        (320, 640),
        {"demo": (144, 248)},
        "the smallest and the largest length, as 320,640",
        "range of an image's long side in training, pixels",
    ),
    ("cam_batch_size", "int", 16, {"demo": 8}, ABOVE, "batch size"),
    ("cam_num_epoches", "int", 5, {"demo": 10}, ABOVE, "epochs over train_list"),
    (
        "cam_learning_rate",
        "float",
        0.1,
        {"demo": 0.001},
        ABOVE,
        RATES.format("backbone", "classifier"),
    ),
    ("cam_weight_decay", "float", 1e-4, {"demo": 0.05}, FROM_0, "weight decay"),
    ("cam_momentum", "float", 1e-4, {}, UNIT, PUBLISHED),
    ("cam_optimizer", "str", "sgd", {"demo": "adamw"}, "sgd or adamw", "optimizer"),
    ("cam_warmup_steps", "int", 0, {"demo": 80}, FROM_0, WARMUP),
    ("irn_crop_size", "int", 512, {"demo": 160}, "a positive multiple of 16", SIDE),
    (
        "irn_radius",
        "int",
        10,
        {"demo": 5},
        "2 or more",
        "largest distance of the pixels of a pair, stride-4 pixels",
    ),
    ("irn_batch_size", "int", 32, {"voc12_author": 16, "demo": 8}, ABOVE, "batch size"),
    (
        "irn_num_epoches",
        "int",
        3,
        {"voc12_author": 5, "demo": 14},
        ABOVE,
        "epochs over train_list",
    ),
    (
        "irn_learning_rate",
        "float",
        0.1,
        {"demo": 0.01},
        ABOVE,
        RATES.format("boundary branch", "displacement branch"),
    ),
    ("irn_weight_decay", "float", 1e-4, {}, FROM_0, "weight decay"),
    ("irn_momentum", "float", 1e-4, {}, UNIT, PUBLISHED),
    ("irn_optimizer", "str", "sgd", {"demo": "adamw"}, "sgd or adamw", "optimizer"),
    ("irn_warmup_steps", "int", 0, {"demo": 20}, FROM_0, WARMUP),
    ("mask_rcnn_steps", "int", 18000, {"demo": 200}, ABOVE, "training steps"),
    (
        "mask_rcnn_drops",
        "int,...",
        (12000, 16000),
        {"demo": (150, 185)},
        "increasing steps above 0, as 12000,16000, or '' for a constant learning rate",
        "steps after which the learning rate is divided by ten; '' keeps it constant",
    ),
    ("mask_rcnn_batch_size", "int", 4, {"demo": 8}, ABOVE, "batch size"),
    ("mask_rcnn_learning_rate", "float", 0.01, {}, ABOVE, "learning rate"),
    ("mask_rcnn_weight_decay", "float", 1e-4, {}, FROM_0, "weight decay"),
    ("mask_rcnn_momentum", "float", 0.9, {}, UNIT, "SGD momentum"),
    ("mask_rcnn_optimizer", "str", "sgd", {}, "sgd or adamw", "optimizer"),
    ("mask_rcnn_warmup_steps", "int", 500, {"demo": 50}, FROM_0, WARMUP),
    (
        "mask_rcnn_min_size",
        "int",
        512,
        {"demo": 144},
        ABOVE,
        "short side that images are resized to, pixels",
    ),
    (
        "mask_rcnn_max_size",
        "int",
        800,
        {"demo": 192},
        ABOVE,
        "upper limit of the long side, pixels",
    ),
    (
        "mask_rcnn_sampled_boxes",
        "int",
        512,
        {"demo": 16},
        ABOVE,
        "proposals sampled per image to train the heads",
    ),
    (
        "mask_rcnn_channels",
        "int",
        256,
        {"demo": 64},
        ABOVE,
        "channels of the feature pyramid and the heads",
    ),
    ("deeplab_steps", "int", 20000, {"demo": 150}, ABOVE, "training steps"),
    ("deeplab_batch_size", "int", 10, {"demo": 4}, ABOVE, "batch size"),
    ("deeplab_crop_size", "int", 321, {"demo": 160}, ABOVE, SIDE),
    (
        "deeplab_learning_rate",
        "float",
        2.5e-4,
        {"demo": 2e-4},
        ABOVE,
        RATES.format("backbone", "classifier"),
    ),
    ("deeplab_weight_decay", "float", 5e-4, {"demo": 0.01}, FROM_0, "weight decay"),
    ("deeplab_momentum", "float", 0.9, {}, UNIT, "SGD momentum"),
    ("deeplab_optimizer", "str", "sgd", {"demo": "adamw"}, "sgd or adamw", "optimizer"),
    ("deeplab_warmup_steps", "int", 0, {"demo": 20}, FROM_0, WARMUP),
]


PRESETS_THEN = ("voc12", "voc12_author", "demo")


def presets_then(declared):
    """Return the presets' values, without those of data sets that came later."""
    return {name: value for name, value in declared.presets.items() if name in PRESETS_THEN}


def test_every_training_has_the_flags_that_it_had_in_their_order():
    found = [
        (name, kind(name), s.default, presets_then(s), s.rule.accepted, s.help)
        for name, s in SETTINGS.items()
        if s.owner
    ]
    assert found == FLAGS


@pytest.mark.parametrize("preset", ["voc12", "voc12_author", "demo"])
def test_a_group_has_the_presets_values(preset):
    words = ["--preset", preset, "--voc12_root", "VOC2012"]
    config, usual = read_config(words), defaults(preset)
    for name, _, default, presets, _, _ in FLAGS:
        group, member = SETTINGS[name].owner, SETTINGS[name].member
        assert usual[name] == presets.get(preset, default)
        assert getattr(getattr(config, group), member) == usual[name]
        assert config.values()[name] == usual[name]


def test_changed_flags_reach_their_groups_and_nothing_else():
    config = Config().with_values({"cam_batch_size": 2, "cam_momentum": 0.5, "beta": 3})
    assert (config.cam.batch_size, config.cam.momentum, config.beta) == (2, 0.5, 3)
    usual = Config().values()
    changed = {name for name, value in config.values().items() if value != usual[name]}
    assert changed == {"cam_batch_size", "cam_momentum", "beta"}


def test_what_a_setting_shapes_is_a_stage():
    known = {stage.name for stage in STAGES}
    for name, declared in SETTINGS.items():
        assert set(declared.shapes) <= known, name


def test_all_of_a_training_group_shapes_its_training():
    for name, declared in SETTINGS.items():
        if declared.owner:
            assert f"train_{declared.owner}" in declared.shapes, name
