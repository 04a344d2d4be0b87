"""What several stages take from the config: the data, the device, and what shapes their outputs."""

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import nn

import voc12
from misc import ranks
from misc.cam_files import cam_path, find_cams, read_cams
from misc.config import Config
from misc.device import Compute, allow_tf32, pick_device, resolve_precision
from misc.flags import resolved
from misc.log import logger
from misc.measures import record
from misc.plan import Need, Truths, made_by
from misc.provenance import fingerprint, listing_digest, read_settings
from misc.weights import load_weights, read_state_dict
from net.resnet50 import load_pretrained

# A ResNet-50's, with the checkpoint beside it while it is trained.
WEIGHTS_BYTES = 400_000_000


def open_dataset(config: Config) -> voc12.Dataset:
    """Open the data set; without --voc12_root make the demo data first, if they are not there."""
    root = data_root(config)
    if config.voc12_root is None:
        if not Path(root).is_dir():
            logger.info("making the demo data in %s", root)
        make = partial(
            voc12.make_demo,
            root,
            train=config.demo_train_images,
            val=config.demo_val_images,
            seed=config.demo_seed,
        )
        ranks.on_first(make)
    return voc12.Dataset(
        root, sbd_root=config.sbd_root, cache_dir=config.cache_dir, limit=config.limit
    )


def data_root(config: Config) -> str:
    """Return the data set's folder: --voc12_root, or where the demo data are."""
    return config.voc12_root or config.demo_root


def evaluated_ids(config: Config, dataset: voc12.Dataset) -> list[str]:
    """Give the images of --chainer_eval_set; none where that list is not there.

    For stages that do more for images that can be evaluated, and need no list of them.
    """
    try:
        return dataset.split(config.chainer_eval_set)
    except FileNotFoundError:
        return []


def evaluated_truths(config: Config, ids: Sequence[str], kinds: Sequence[str]) -> Truths:
    """Need the ground truth of all images of --chainer_eval_set."""
    return Truths(flag="chainer_eval_set", name=config.chainer_eval_set, ids=ids, kinds=kinds)


def label_rows(dataset: voc12.Dataset, ids: Sequence[str]) -> np.ndarray:
    """Return the image-level labels, float32 (N, C) of 0 and 1, read by the first rank alone."""
    return ranks.on_first(lambda: dataset.image_labels(ids))


def image_labels(dataset: voc12.Dataset, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Give for each image the classes in its image-level label: `keys`, int64 (K,)."""
    labels = label_rows(dataset, ids)
    return {i: np.flatnonzero(row) for i, row in zip(ids, labels, strict=True)}


def network_module(name: str, flag: str, *wanted: str) -> ModuleType:
    """Import a network module by name and check that it has what a stage needs.

    Raises:
        ValueError: there is no such module, or it lacks one of the names.
    """
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"--{flag} {name}: cannot be imported ({error})") from error
    missing = [attribute for attribute in wanted if not hasattr(module, attribute)]
    if missing:
        raise ValueError(f"--{flag} {name}: the module lacks {', '.join(missing)}")
    return module


def load_network(model: Any, path: str, *, flag: str, stage: str, compute: Compute) -> Any:
    """Load a weights file into a network and put it on the device, in eval mode.

    Raises:
        FileNotFoundError: no such file; says which stage makes it.
        ValueError: the weights are of another network.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--{flag} {path}: no such file; the stage {stage} makes it: --{stage}_pass True"
        )
    model.load_published(read_state_dict(path), source=f"--{flag} {path}")
    return compute.place(model).eval()


def compute_of(config: Config) -> Compute:
    """Return what the config asks networks to be computed with."""
    device = pick_device(config.device)
    precision = resolve_precision(device, config.precision)
    allow_tf32(precision == "tf32")
    return Compute(device=device, precision=precision, num_workers=config.num_workers)


def shaped_by(
    config: Config,
    stage: str,
    *names: str,
    ids: Sequence[str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Collect what shapes a stage's outputs, by stage: its own settings first, then earlier ones'.

    No path counts: of weights the file's digest is taken, of data the name and a digest, of an
    output folder the settings that shaped it, or where it is not ours a digest of its listing.

    Args:
        config: the settings.
        stage: that writes.
        names: of the settings that shape what it writes.
        ids: the images of the list among `names`; where there is none, the whole data set counts.
        extra: more that counts, or other values of settings than the config's.
    """
    values = resolved(config)
    own: dict[str, Any] = {}
    before: dict[str, dict[str, Any]] = {}
    if ids is None:
        own["voc12_root"] = voc12.identify(data_root(config))
    for name in names:
        value = values[name]
        if name == "precision":
            value = compute_of(config).precision
        elif name.endswith("_weights_name") or (name == "pretrained" and Path(value).is_file()):
            value = f"a file of SHA-256 {fingerprint(value)}"
        elif name.endswith("_out_dir"):
            earlier = read_settings(value)
            if earlier is not None:
                before |= earlier
                continue
            value = listing_digest(value)
        elif name.endswith("_list"):
            value = voc12.identify(data_root(config), ids)
        own[name] = value
    return {stage: own | dict(extra or {}), **before}


def cams_need(config: Config, ids: Sequence[str]) -> Need:
    """Need the CAMs of images."""
    paths = [cam_path(config.cam_out_dir, image_id) for image_id in ids]
    return made_by("cam_out_dir", "make_cam", paths, read_cams)


def pretrained_need(pretrained: str) -> list[Need]:
    """Need the file of pretrained weights, if --pretrained names one."""
    if pretrained in ("imagenet", "none"):
        return []
    remedy = "accepted are imagenet, none, or a ResNet-50 file"
    return [Need(flag="pretrained", paths=[Path(pretrained)], read=read_state_dict, remedy=remedy)]


def backbone_need(config: Config) -> list[Need]:
    """Need what a backbone is filled from: see `load_backbone`."""
    if config.pretrained != "none":
        return pretrained_need(config.pretrained)
    weights = [Path(config.cam_weights_name)]
    return [made_by("cam_weights_name", "train_cam", weights, read_state_dict)]


def require_cams(folder: str, ids: Sequence[str]) -> None:
    """Raise FileNotFoundError, naming the stage that makes them, if the CAMs of an image lack."""
    for image_id in ids:
        find_cams(folder, image_id)


def load_backbone(backbone: nn.Module, config: Config) -> None:
    """Fill a backbone: ImageNet's weights, or from scratch the classification network's.

    Raises:
        FileNotFoundError: the classification network's weights are not there.
        ValueError: the weights do not fit.
    """
    if config.pretrained != "none":
        load_pretrained(backbone, config.pretrained)
        return
    path = config.cam_weights_name
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--cam_weights_name {path}: no such file, and --pretrained none takes the backbone "
            "from it; the stage train_cam makes it: --train_cam_pass True"
        )
    prefix = "resnet50."
    state = read_state_dict(path)
    state = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    load_weights(backbone, state, source=f"--cam_weights_name {path}")


def record_measures(
    config: Config,
    stage: str,
    measures: dict[str, float],
    *,
    split: str = "",
    supervision: str = "irn",
) -> None:
    """Write a stage's measures on a split, beside the published ones where there are.

    Args:
        config: names the metrics file, the preset, the data, which have published figures where
            they are VOC 2012's own, and --chainer_eval_set, the default split.
        stage: that measured.
        measures: names to values.
        split: that was measured on.
        supervision: the labels that were learnt from, of networks trained on labels.
    """
    split = (split or config.chainer_eval_set) + (f"[:{config.limit}]" if config.limit else "")
    published = {}
    is_voc = voc12.is_published_split(data_root(config), split)
    if is_voc and config.preset.startswith("voc12") and supervision == "irn":
        published = voc12.PUBLISHED.get((stage, split), {})
    record(
        config.metrics_file,
        stage=stage,
        split=split,
        supervision=supervision,
        measures=measures,
        published=published,
    )
