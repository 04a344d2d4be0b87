"""From CAMs and IRNet to instance and semantic labels (METHOD sections 5 to 7).

Both kinds of label come from one forward pass where both are requested.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.files.cam_files import CamFolder, require_cams
from misc.files.labels import (
    INSTANCE_FILES,
    SEMANTIC_FILES,
    instance_paths,
    semantic_paths,
    training_label_path,
    write_instances,
    write_semantic_label,
    write_training_label,
)
from misc.files.levels import levels_path, save_levels, winner_levels
from misc.files.palette import class_entries, object_entries, write_legend
from misc.imutils import planes
from misc.instances import separate_scores, upsampled_winners
from misc.learning.networks import load_network, make_network
from misc.learning.weights import read_state_dict
from misc.machine.device import Compute, compute_of
from misc.refinement import with_unsure
from misc.running.dataset import Dataset
from misc.running.decisions import Decision, decision_of, instance_labels, semantic_labels
from misc.running.open_dataset import evaluated_ids
from misc.running.plan import Files, Plan, cam_folder, cams_need, crf_modules, made_by
from misc.running.provenance import claim_folder
from misc.running.scores import Split, Walk, apply_irnet, owners_of, split_of, walk_of
from misc.running.shaped import shaped_by
from misc.running.workers import Way, run_images
from misc.settings.config import Config


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The inputs of one image.

    Attributes:
        image: uint8 (3, H, W).
        cam: float32 (K, h, w) on the stride-4 grid.
        keys: int64 (K,), the class of each map.
        size: (H, W).
    """

    image: torch.Tensor
    cam: torch.Tensor
    keys: np.ndarray
    size: tuple[int, int]

    def pin_memory(self) -> "Loaded":
        """Pin what is copied to the device; called by the loader."""
        return replace(self, image=self.image.pin_memory(), cam=self.cam.pin_memory())

    def pixels(self, decisions: Iterable[Decision]) -> np.ndarray | None:
        """Return the image, uint8 (H, W, 3), or None where no decision looks at it.

        What nobody looks at is not sent to the pool.
        """
        if not any(decision.crf for decision in decisions):
            return None
        return self.image.permute(1, 2, 0).contiguous().numpy()


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """The synthesis of an image's labels from its scores, and their folders; picklable.

    Attributes:
        ins_dir: folder of instance labels; None makes none.
        sem_dir: folder of semantic labels; None makes none.
        split: the split of an image into instances.
        walk: the propagation of scores.
        instance: how instance labels are decided.
        semantic: how semantic labels are.
        palette: colours of semantic labels, uint8 (256, 3).
        unsure: two background scores, the lower one first; where their semantic labels differ, the
            label to train on says 255. Empty: there is no such label.
    """

    ins_dir: str | None
    sem_dir: str | None
    split: Split
    walk: Walk
    instance: Decision
    semantic: Decision
    palette: np.ndarray
    unsure: tuple[float, ...] = ()

    def way(
        self, model: Any, compute: Compute, image_id: str, loaded: Loaded, *, levels: bool
    ) -> Way:
        """Make an image's labels: network and walk here, all else in the pool.

        Args:
            model: IRNet in its inference form.
            compute: device and precision.
            image_id: the image.
            loaded: its inputs.
            levels: write its score levels, too.
        """
        boundary, displacement = apply_irnet(model, compute, loaded.image)
        cam = compute.put(loaded.cam)
        walked: dict[str, np.ndarray] = {}
        field = None
        if self.ins_dir is not None:
            field = displacement.cpu().numpy()
            instance_map = yield partial(self.split, field)
            walked["instance"] = self.walk(separate_scores(cam, instance_map), boundary)
        if self.sem_dir is not None:
            walked["semantic"] = self.walk(cam, boundary)
        decided = (self.ins_dir, self.instance), (self.sem_dir, self.semantic)
        yield partial(
            self.write,
            image_id,
            walked,
            loaded.keys,
            loaded.size,
            levels=levels,
            pixels=loaded.pixels(decision for folder, decision in decided if folder is not None),
            displacement=field if self.instance.gathered else None,
        )

    def write(
        self,
        image_id: str,
        walked: Mapping[str, np.ndarray],
        keys: np.ndarray,
        size: tuple[int, int],
        *,
        levels: bool,
        pixels: np.ndarray | None,
        displacement: np.ndarray | None,
    ) -> None:
        """Write an image's labels from the result of `walk`; runs in the pool."""
        if self.ins_dir is not None:
            index, best = upsampled_winners(torch.from_numpy(walked["instance"]), size)
            owners = owners_of(walked["instance"], keys)
            if levels:
                found_levels = winner_levels(index, best, owners)
                save_levels(levels_path(self.ins_dir, image_id), found_levels)
            (found,) = instance_labels(
                index, best, owners, [self.instance], pixels=pixels, displacement=displacement
            )
            write_instances(self.ins_dir, image_id, found)
        if self.sem_dir is not None:
            index, best = upsampled_winners(torch.from_numpy(walked["semantic"]), size)
            if levels:
                found_levels = winner_levels(index, best, keys)
                save_levels(levels_path(self.sem_dir, image_id), found_levels)
            unsure = (replace(self.semantic, background=level) for level in self.unsure)
            decisions = [self.semantic, *unsure]
            label, *bounds = semantic_labels(index, best, keys, decisions, pixels=pixels)
            if bounds:
                write_training_label(self.sem_dir, image_id, with_unsure(*bounds))
            write_semantic_label(self.sem_dir, image_id, label, palette=self.palette)


def make_labels(config: Config, dataset: Dataset, *, instance: bool, semantic: bool) -> None:
    """Write the labels of every image of infer_list: instance labels, semantic labels, or both."""
    ids = dataset.split(config.infer_list)
    require_cams(config.cam_out_dir, ids)
    folder = cam_folder(config, dataset)
    compute = compute_of(config)
    model = load_irnet(config, compute)
    claim_outputs(config, dataset, instance=instance, semantic=semantic)
    evaluated = set(evaluated_ids(config, dataset))
    synthesis = synthesis_of(
        config,
        ins_dir=config.ins_seg_out_dir if instance else None,
        sem_dir=config.sem_seg_out_dir if semantic else None,
        palette=dataset.palette,
    )

    def outputs(image_id: str) -> list[Path]:
        ins_dir, sem_dir = config.ins_seg_out_dir, config.sem_seg_out_dir
        paths = list(instance_paths(ins_dir, image_id)) if instance else []
        paths += list(semantic_paths(sem_dir, image_id)) if semantic else []
        if semantic and config.sem_seg_unsure:
            paths.append(training_label_path(sem_dir, image_id))
        folders = [ins_dir] * instance + [sem_dir] * semantic
        levels = [levels_path(folder, image_id) for folder in folders]
        return paths + (levels if image_id in evaluated else [])

    def process(image_id: str, loaded: Loaded) -> Way:
        levels = image_id in evaluated
        yield from synthesis.way(model, compute, image_id, loaded, levels=levels)

    run_images(
        ids,
        partial(load_image, dataset, folder, config.cam_power),
        process=process,
        outputs=outputs,
        num_workers=compute.num_workers,
        description=" + ".join(["make_ins_seg"] * instance + ["make_sem_seg"] * semantic),
    )


def synthesis_of(
    config: Config, *, ins_dir: str | None, sem_dir: str | None, palette: np.ndarray
) -> Synthesis:
    """Return the synthesis of labels that the settings describe, to these folders."""
    return Synthesis(
        ins_dir=ins_dir,
        sem_dir=sem_dir,
        split=split_of(config),
        walk=walk_of(config),
        instance=decision_of(config, "instance"),
        semantic=decision_of(config, "semantic"),
        palette=palette,
        unsure=config.sem_seg_unsure,
    )


def claim_outputs(config: Config, dataset: Dataset, *, instance: bool, semantic: bool) -> None:
    """Claim the folders of the requested labels, and write the legends of their palettes."""
    ids = dataset.split(config.infer_list)
    claim = partial(claim_folder, images=ids, overwrite=config.overwrite)
    shaped = partial(shaped_by, config, dataset, images=ids)
    if instance:
        settings = shaped("make_ins_seg_labels", *["crf"] * config.ins_seg_crf)
        claim(config.ins_seg_out_dir, settings, files=INSTANCE_FILES)
        write_legend(config.ins_seg_out_dir, object_entries())
    if semantic:
        settings = shaped("make_sem_seg_labels", *["crf"] * config.sem_seg_crf)
        claim(config.sem_seg_out_dir, settings, files=SEMANTIC_FILES)
        write_legend(config.sem_seg_out_dir, class_entries(dataset.class_names, dataset.palette))


def plan_labels(
    config: Config, dataset: Dataset, folder: str, patterns: Sequence[str], *, crf: bool
) -> Plan:
    """Return what is read and written: files of the patterns, in which `{}` is an image."""
    ids = dataset.split(config.infer_list)
    weights = Files.of(config.irn_weights_name)
    return Plan(
        images=ids,
        needs=[
            cams_need(config, dataset, ids),
            made_by("irn_weights_name", "train_irn", weights, read_state_dict),
        ],
        modules=crf_modules(config) if crf else {},
        claims=[folder],
        writes=[Files.of_images(folder, pattern, ids) for pattern in patterns],
        bytes_each=6_000,
    )


def load_irnet(config: Config, compute: Compute) -> Any:
    """Load IRNet in its inference form, from --irn_weights_name."""
    return load_network(
        make_network(
            "irn_network",
            config.irn_network,
            "EdgeDisplacement",
            crop_size=config.irn_pad,
            backbone=config.backbone,
        ),
        config.irn_weights_name,
        flag="irn_weights_name",
        stage="train_irn",
        compute=compute,
    )


def load_image(dataset: Dataset, folder: CamFolder, power: float, image_id: str) -> Loaded:
    """Read an image and its CAMs, whose `cam` is raised to a power."""
    image = dataset.image(image_id)
    size = image.shape[:2]
    cams = folder.read(image_id, size)
    cam = torch.from_numpy(cams.cam) ** power
    return Loaded(image=planes(image), cam=cam, keys=cams.keys, size=size)
