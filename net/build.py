"""The networks that the settings describe: built, filled with weights, checked before a run."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import torch

from misc.indexing import PathIndex
from misc.machine.device import Compute
from misc.run.stage import StageFiles
from misc.settings.config import CAM_METHODS, Config
from misc.train.amn_maps import label_logits
from misc.train.inference import advcam_scale_maps, scale_maps
from misc.train.networks import (
    Pretrained,
    check_weights,
    load_network,
    load_trained,
    make_network,
)
from net.amn import AMN
from net.deeplab import DeepLab
from net.map_net import MAPS, map_net, with_features
from net.mask_rcnn import mask_rcnn

FindMaps = Callable[..., list[torch.Tensor]]

WEIGHTS = "_weights_name"  # how settings of weights end, after the network's name


def build_network(
    config: Config, name: str, num_classes: int, *, for_training: bool = False
) -> Any:
    """Build a network with random weights.

    Args:
        config: the settings.
        name: `cam`, the classification network; `recam` and `lpcam`, which make maps with it;
            `advcam`: it, differentiable down to the image; `amn`, `irn`, `mask_rcnn` or `deeplab`.
        num_classes: number of foreground classes.
        for_training: whether `cam` and `irn` are built to learn, or to make maps and fields.
    """
    backbone = config.backbone
    if name in MAPS:
        return map_net(build_network(config, "cam", num_classes, for_training=True), name)
    if name == "advcam":
        # The gradient reaches the image in a network whose layers all learn.
        net = make_network(
            "cam_network",
            config.cam_network,
            "Net",
            num_classes,
            backbone=backbone,
            train_whole=True,
        )
        return with_features(net, name)
    if name == "amn":
        return AMN(num_classes, backbone=backbone)
    if name == "mask_rcnn":
        return mask_rcnn(
            num_classes,
            min_size=config.mask_rcnn_min_size,
            max_size=config.mask_rcnn_max_size,
            sampled_boxes=config.mask_rcnn_sampled_boxes,
            channels=config.mask_rcnn_channels,
            backbone=backbone,
        )
    if name == "deeplab":
        return DeepLab(
            num_classes + 1,
            backbone=config.deeplab_backbone or backbone,
            output_stride=config.deeplab_output_stride,
        )
    options: dict[str, Any] = {"backbone": backbone}
    arguments: list[Any] = []
    if name == "cam":
        arguments, form = [num_classes], "Net" if for_training else "CAM"
        options |= {"train_whole": config.pretrained == "none"} if for_training else {}
    elif for_training:
        grid = config.irn_crop_size // 4
        arguments = [PathIndex(config.irn_radius, (grid, grid))]
        form = "AffinityDisplacementLoss"
    else:
        options |= {"crop_size": config.irn_pad}
        form = "EdgeDisplacement"
    flag = f"{name}_network"
    return make_network(flag, vars(config)[flag], form, *arguments, **options)


def begin_network(
    config: Config, name: str, num_classes: int, compute: Compute, *, weights: str | Path = ""
) -> Any:
    """Build the network of a training on the device, with the weights that it begins with.

    They follow from the settings, unless a file of its own weights is named. What is random in them
    follows from the seed.
    """
    torch.manual_seed(config.seed)
    model = build_network(config, name, num_classes, for_training=True)
    if weights:
        load_trained(model, name, weights)
    elif name in MAPS:
        load_trained(model.net, "cam", config.cam_weights_name)
    elif name != "cam" or config.pretrained != "none":
        pretrained_from(config, name, num_classes).fill(model)
    return compute.place(model)


def open_network(
    config: Config,
    name: str,
    num_classes: int,
    compute: Compute,
    *,
    weights: str | Path = "",
    for_training: bool = False,
) -> Any:
    """Build a network for inference on the device, with its trained weights.

    They are those of its setting, unless another file is named. `for_training` opens the form that
    learns, see `build_network`: of `cam` the classifier.
    """
    model = build_network(config, name, num_classes, for_training=for_training)
    trained = CAM_METHODS.get(name, name)
    path = weights or vars(config)[trained + WEIGHTS]
    return load_network(model, trained, path, compute)


def open_maps(config: Config, num_classes: int, compute: Compute) -> FindMaps:
    """Open what makes the maps of --cam_method, with its trained weights.

    It returns the maps of an image at each scale and of its classes, `keys`; see `scale_maps`. Of
    `amn` they are logits of all labels, which the image's old relation label turns into maps.
    """
    model = open_network(config, config.cam_method, num_classes, compute)
    if config.cam_method == "advcam":
        return partial(
            advcam_scale_maps,
            model,
            scales=config.cam_scales,
            iterations=config.advcam_iterations,
            compute=compute,
        )
    find = label_logits if config.cam_method == "amn" else scale_maps
    return partial(find, model, compute=compute)


def pretrained_from(config: Config, name: str, num_classes: int) -> Pretrained:
    """Return what --pretrained asks for, of the backbone of a network."""
    of_deeplab = config.deeplab_backbone if name == "deeplab" else None
    return Pretrained(
        source=config.pretrained,
        backbone=of_deeplab or config.backbone,
        cam_network=config.cam_network,
        cam_weights=config.cam_weights_name,
        build_classifier=partial(build_network, config, "cam", num_classes, for_training=True),
    )


def check_networks(stage: StageFiles, coming: Collection[Path]) -> None:
    """Build the networks of a stage, and compare with them the weights that it will load.

    Those that are coming, since an earlier stage will write them, are not compared.

    Raises:
        ValueError, OSError: in one line, what does not fit.
    """
    config, num_classes = stage.config, len(stage.dataset.class_names)
    build = partial(build_network, config, num_classes=num_classes)
    if not stage.row.writes.endswith(WEIGHTS):
        for files in stage.inputs():
            if files.flag.endswith(WEIGHTS):
                name = files.flag.removesuffix(WEIGHTS)
                makes_maps = name == CAM_METHODS[config.cam_method]
                built = partial(build, config.cam_method if makes_maps else name)
                check_weights(built, name, files.places, coming)
        return
    name = stage.row.writes.removesuffix(WEIGHTS)
    trained = partial(build, name, for_training=True)
    if name in MAPS:
        check_weights(lambda: trained().net, "cam", [config.cam_weights_name], coming)
    elif name == "cam" and config.pretrained == "none":
        check_weights(trained, name, [], coming)
    else:
        pretrained_from(config, name, num_classes).check(trained, coming)
