"""What training on labels, and measuring what was trained, reads and writes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from misc.files.images import read_label
from misc.files.instance_files import load_instances
from misc.files.labels import INSTANCE_FILES, SEMANTIC_FILES
from misc.learning.networks import WEIGHTS_BYTES, backbone_need, check_backbone, check_weights
from misc.learning.supervision import KINDS, supervised_path
from misc.learning.weights import read_state_dict
from misc.running.dataset import Dataset
from misc.running.plan import Files, Need, Plan, Truths, cams_need, made_by
from misc.settings.config import Config


def labels_needs(config: Config, dataset: Dataset, *, semantic: bool) -> list[Need]:
    """Return the needs for the labels of infer_list that other stages make, by --supervision."""
    ids = dataset.split(config.infer_list)
    needs = [cams_need(config, dataset, ids)] if "cam" in config.supervision else []
    if "irn" in config.supervision and semantic:
        files = Files.of_images(config.sem_seg_out_dir, SEMANTIC_FILES[0], ids)
        needs.append(made_by("sem_seg_out_dir", "make_sem_seg", files, read_label))
    elif "irn" in config.supervision:
        files = Files.of_images(config.ins_seg_out_dir, INSTANCE_FILES[0], ids)
        needs.append(made_by("ins_seg_out_dir", "make_ins_seg", files, load_instances))
    return needs


def training_plan(
    config: Config,
    dataset: Dataset,
    network: str,
    weights_name: str,
    *,
    build: Callable[[], Any],
    part: str,
    backbone: str,
) -> Plan:
    """Return what a training on labels reads and writes.

    Args:
        config: the settings.
        dataset: the data set.
        network: `mask_rcnn` or `deeplab`.
        weights_name: its --NETWORK_weights_name.
        build: builds it with random weights.
        part: its attribute that is the backbone, dotted.
        backbone: the backbone's name.
    """
    ids, val_ids = dataset.split(config.infer_list), dataset.split(config.val_list)
    kind = KINDS[network]
    weights = [supervised_path(weights_name, name) for name in config.supervision]
    return Plan(
        claims=weights,
        batches={f"{network}_batch_size": len(ids)},
        images=[*ids, *val_ids],
        truths=[val_truths(config, val_ids, kind), *learnt_truths(config, ids, kind)],
        needs=labels_needs(config, dataset, semantic=kind == "semantic") + backbone_need(config),
        networks=[partial(check_backbone, build, part, config, len(dataset.class_names), backbone)],
        writes=[Files.of(*weights)],
        bytes_each=WEIGHTS_BYTES,
    )


def evaluation_plan(
    config: Config, dataset: Dataset, network: str, pattern: str, *, build: Callable[[], Any]
) -> Plan:
    """Return what a network's evaluation reads and writes; `{}` in the pattern is an image."""

    def of(name: str) -> Any:
        return getattr(config, f"{network}_{name}")

    ids = dataset.split(config.val_list)
    places = [(of("out_dir"), ids)]
    if of("server_list"):
        places.append((of("server_dir"), dataset.split(of("server_list"))))
    paths = [supervised_path(of("weights_name"), name) for name in config.supervision]
    flag, weights = f"{network}_weights_name", Files.of(*paths)
    kind = KINDS[network]
    return Plan(
        networks=[partial(check_weights, build, flag, paths)],
        claims=[supervised_path(folder, n) for folder, _ in places for n in config.supervision],
        images=list(dict.fromkeys(image_id for _, listed in places for image_id in listed)),
        truths=[val_truths(config, ids, kind)],
        needs=[made_by(flag, f"train_{network}", weights, read_state_dict)],
        writes=[
            Files.of_images(supervised_path(folder, name), pattern, listed)
            for folder, listed in places
            for name in config.supervision
        ],
        bytes_each=6_000,
    )


def val_truths(config: Config, ids: Sequence[str], kind: str) -> Truths:
    """Return the need for ground truth of all images of --val_list."""
    return Truths(flag="val_list", name=config.val_list, ids=ids, kinds=[kind])


def learnt_truths(config: Config, ids: Sequence[str], kind: str) -> list[Truths]:
    """Return the need for ground truth of some images of --infer_list, if it is trained on."""
    if "full" not in config.supervision:
        return []
    name = f"{config.infer_list} --supervision full"
    return [Truths(flag="infer_list", name=name, ids=ids, kinds=[kind], some=True)]
