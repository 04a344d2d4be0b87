"""What is read: the data set, its folders, lists and dialects."""

from dataclasses import dataclass

from misc.settings.declare import in_coco, in_demo, place, setting
from misc.settings.rules import NOT_EMPTY, NOT_NEGATIVE, POSITIVE, Rule, one_of, word_or_module

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


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What is read."""

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
        None,
        "SBD's folder, a source of train_aug and of its ground truth",
        rule=NOT_EMPTY,
        of=("voc12",),
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
    coco_mask_dir: str | None = setting(
        None,
        "coco: folder of ready-made semantic masks, in place of the truth of the JSON",
        rule=NOT_EMPTY,
        of=COCO,
    )
    labels: str | None = setting(
        None,
        "folder: file of what is in each image (.csv, .tsv, .json, .npy), see YOUR_IMAGES.md; by "
        "default its sub-folders are the classes",
        rule=NOT_EMPTY,
        of=("folder",),
    )
    class_names: str | None = setting(
        None,
        "folder: text file of the class names; by default those that occur, sorted",
        rule=NOT_EMPTY,
        of=("folder",),
    )
    masks: str | None = setting(
        None,
        "folder: masks of some images, to measure against",
        rule=NOT_EMPTY,
        of=("folder",),
    )
    val_share: float = setting(
        0.1,
        "folder: part of the images, drawn by --seed, that are val; the others are train",
        rule=Rule(lambda value: 0 < value < 1, "a number between 0 and 1"),
        of=("folder",),
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
    demo_root: str = place("result/VOC2012", "folder of the demo data")
    demo_seed: int = setting(0, "random seed of the demo data", rule=NOT_NEGATIVE)
    demo_train_images: int = setting(400, "images in the demo's train split", rule=POSITIVE)
    demo_val_images: int = setting(40, "images in the demo's val split", rule=POSITIVE)
