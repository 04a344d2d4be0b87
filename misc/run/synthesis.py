"""From CAMs and IRNet's fields to instance and semantic labels (METHOD sections 5 to 7).

The label stages, --predict and --sweep make their labels with `synthesise`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from misc.argmax import above, labels_of
from misc.centroids import cluster_centroids, find_centroids
from misc.files.cam_files import CamFolder
from misc.files.dataset import Dataset
from misc.files.labels import save_published_instances, write_instances, write_semantic_label
from misc.imutils import normalize, planes, with_mirror
from misc.indexing import propagate_to_edge
from misc.instances import scores_of_maps, separate_scores, split_winners, upsampled_winners
from misc.machine.device import Compute, compute_of
from misc.refinement import refine_winners
from misc.run.results import claim_outputs
from misc.run.stage import StageFiles
from misc.run.workers import Way, run_images
from misc.settings.config import Config

STAGES = {"semantic": "make_sem_seg_labels", "instance": "make_ins_seg_labels"}
Fields = tuple[torch.Tensor, torch.Tensor]
# A semantic label, uint8 (H, W), or instances as `misc.instances.detect` returns them.
Label = np.ndarray | dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """How an image's CAMs become its score maps.

    Attributes:
        power: of the CAMs before the walk.
        radius: pixels that are nearer than this are linked in the walk, stride-4 pixels; 0 leaves
            the walk out.
        beta: power of the affinities.
        exp_times: the walk takes 2 to this power steps.
        small_displacement: length below which a displacement marks an instance's centre, stride-4
            pixels; 0 leaves one map a class instead of one an instance.
        background_power: the background is a map that walks, too, from (1 - the largest CAM) to
            this power; 0 leaves it a number.
    """

    power: float = 1
    radius: int = 0
    beta: float = 0
    exp_times: int = 0
    small_displacement: float = 0
    background_power: float = 0


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """How a label is made.

    Attributes:
        kind: `instance` or `semantic`.
        scores: the score maps that it is cut from.
        background: score of the background where that does not walk.
        crf: implementation of the dense CRF that refines it; empty for no CRF.
        instance_score: of an instance, `peak` or `mean`; see `split_winners`.
        min_area: fraction of the image's pixels below which an instance's score is 0.
    """

    kind: str
    scores: ScoreSettings
    background: float
    crf: str = ""
    instance_score: str = "peak"
    min_area: float = 0.01


def label_settings_from(config: Config, kind: str) -> LabelSettings:
    """Return how the flags ask for `instance` or `semantic` labels."""
    # What is off, or of the other kind, is equal with any other settings.
    scores = ScoreSettings(
        power=config.cam_power,
        radius=config.walk_radius if config.walk else 0,
        beta=config.beta if config.walk else 0,
        exp_times=config.exp_times if config.walk else 0,
        background_power=config.walk_background,
    )
    if kind == "semantic":
        return LabelSettings(
            kind=kind,
            scores=scores,
            background=0 if config.walk_background else config.sem_seg_bg_thres,
            crf=config.crf if config.sem_seg_crf else "",
        )
    length = config.small_displacement if config.ins_seg_split else 0
    return LabelSettings(
        kind=kind,
        scores=replace(scores, small_displacement=length),
        background=0 if config.walk_background else config.ins_seg_bg_thres,
        crf=config.crf if config.ins_seg_crf else "",
        instance_score=config.ins_seg_score,
        min_area=config.ins_seg_min_area,
    )


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the labels of an image are made of, besides IRNet's fields.

    Attributes:
        image: uint8 (3, H, W), on the CPU.
        cam: float32 (K, h, w) on the stride-4 grid.
        keys: int64 (K,), the class of each map.
    """

    image: torch.Tensor
    cam: torch.Tensor
    keys: np.ndarray


def make_labels(config: Config, dataset: Dataset, model: Any, *kinds: str) -> None:
    """Write the labels of every image of infer_list, of the kinds `instance` and `semantic`.

    `model` is IRNet in its inference form; it runs once for both kinds.
    """
    ids = dataset.split(config.infer_list)
    cams = CamFolder(path=config.cam_out_dir, num_classes=len(dataset.class_names))
    compute = compute_of(config)
    more = {"instance": ["{}.npy"] * (config.ins_seg_format == "npy")}
    claimed = [
        claim_outputs(StageFiles(STAGES[kind], config, dataset), ids, more_files=more.get(kind, ()))
        for kind in kinds
    ]
    settings = [label_settings_from(config, kind) for kind in kinds]
    folders = {"instance": config.ins_seg_out_dir, "semantic": config.sem_seg_out_dir}

    def outputs(image_id: str) -> list[Path]:
        return [path for of_kind in claimed for path in of_kind(image_id)]

    def process(image_id: str, inputs: Inputs) -> Way:
        fields = apply_irnet(model, compute, inputs.image)
        npy = [path for path in outputs(image_id) if path.suffix == ".npy"]
        write = partial(write_labels, folders, dataset.palette, image_id, published_files=npy)
        yield from synthesise(fields, inputs, settings, finish=write)

    run_images(
        ids,
        partial(load_inputs, dataset, cams),
        process=process,
        outputs=outputs,
        compute=compute,
        description=" + ".join(STAGES[kind].removesuffix("_labels") for kind in kinds),
    )


def load_inputs(dataset: Dataset, folder: CamFolder, image_id: str) -> Inputs:
    """Read an image and its CAMs."""
    image = dataset.image(image_id)
    cams = folder.read(image_id, image.shape[:2])
    return Inputs(image=planes(image), cam=torch.from_numpy(cams.cam), keys=cams.keys)


def write_labels(
    folders: Mapping[str, str],
    palette: np.ndarray,
    image_id: str,
    labels: Iterator[Label],
    *,
    published_files: Sequence[Path] = (),
) -> None:
    """Write an image's labels, each to the folder of its kind; instances to these files, too."""
    for label in labels:
        if isinstance(label, dict):
            write_instances(folders["instance"], image_id, label)
            for path in published_files:
                save_published_instances(path, label)
        else:
            write_semantic_label(folders["semantic"], image_id, label, palette=palette)


def apply_irnet(model: Any, compute: Compute, image: torch.Tensor) -> Fields:
    """Apply IRNet to an image, uint8 (3, H, W): boundary (1, h, w), displacement (2, h, w)."""
    pair = with_mirror(normalize(compute.put(image)))
    with torch.inference_mode(), compute.autocast(pair):
        boundary, displacement = model(pair)
    return boundary, displacement


def synthesise(
    fields: Fields,
    inputs: Inputs,
    settings: Sequence[LabelSettings],
    *,
    finish: Callable[[Iterator[Label]], Any],
) -> Way:
    """Make the labels of an image: the walk in this process, all else in the workers.

    Args:
        fields: boundary (1, h, w) and displacement (2, h, w), of `apply_irnet`.
        inputs: image and CAMs.
        settings: of each label. Labels of equal scores share one walk.
        finish: called in a worker with the labels, in the order of `settings`; picklable.

    Returns:
        what `finish` returns.
    """
    walked = {}
    for scores in dict.fromkeys(one.scores for one in settings):
        walked[scores] = yield from walk(fields, inputs.cam, scores)
    # The pixels are sent to a worker for a CRF alone.
    has_crf = any(one.crf for one in settings)
    pixels = inputs.image.permute(1, 2, 0).contiguous().numpy() if has_crf else None
    height, width = inputs.image.shape[1:]
    given = walked, inputs.keys, (height, width), pixels, settings
    return (yield partial(_finish, finish, *given))


def walk(fields: Fields, cam: torch.Tensor, scores: ScoreSettings) -> Way:
    """Split an image's CAMs (K, h, w) into n instances, and propagate them up to boundaries.

    Returns:
        float32 (K·n, 1, h, w); n is 1 for maps that are not split. Where the background walks, its
        map follows.
    """
    boundary, displacement = fields
    cam = cam.to(boundary.device)
    maps = cam**scores.power
    if threshold := scores.small_displacement:
        instances = yield partial(split_pixels, displacement.cpu().numpy(), threshold)
        maps = separate_scores(maps, instances)
    maps = maps.flatten(0, -3)
    if scores.background_power and len(maps):
        background = (1 - cam.amax(0, keepdim=True)) ** scores.background_power
        maps = torch.cat([maps, background])
    if scores.radius:
        maps = propagate_to_edge(maps, boundary, scores.radius, scores.beta, scores.exp_times)
    else:
        maps = maps.unsqueeze(1)
    return maps.cpu().numpy()


def split_pixels(displacement: np.ndarray, threshold: float) -> np.ndarray:
    """Assign an image's pixels to instances by displacements: (2, h, w) to int32 (h, w)."""
    return cluster_centroids(find_centroids(displacement), displacement, threshold=threshold)


def decide(
    walked: Mapping[ScoreSettings, np.ndarray],
    keys: np.ndarray,
    size: tuple[int, int],
    pixels: np.ndarray | None,
    settings: Sequence[LabelSettings],
) -> Iterator[Label]:
    """Yield the label of each of the settings, cut from score maps of `walk`.

    `pixels` are those of the image, uint8 (H, W, 3), where any label has a CRF.
    """
    maps, found = {}, {}
    for scores, each in walked.items():
        background = None
        maps[scores] = torch.from_numpy(each)
        if scores.background_power and len(each):
            maps[scores], background = maps[scores][:-1], maps[scores][-1, 0]
        found[scores] = upsampled_winners(maps[scores], size, background)
    refined = _refine(found, pixels, settings)
    for one in settings:
        classes = np.repeat(keys, len(maps[one.scores]) // max(len(keys), 1))
        index, best = above(*found[one.scores], one.background)
        index = refined.get(one, index)
        if one.kind == "semantic":
            yield labels_of(index, classes)
            continue
        # Where the CRF moves a border, a map's own score lies beneath its neighbour's.
        own = scores_of_maps(maps[one.scores], size, index) if one.crf else best
        yield split_winners(index, own, classes, min_area=one.min_area, score=one.instance_score)


def _refine(
    found: Mapping[ScoreSettings, tuple[np.ndarray, np.ndarray]],
    pixels: np.ndarray | None,
    settings: Sequence[LabelSettings],
) -> dict[LabelSettings, np.ndarray]:
    """Return the refined winners of each label that has a CRF; they share its features."""
    if pixels is None:
        return {}
    asked = [one for one in settings if one.crf]
    maps = [above(*found[one.scores], one.background)[0] for one in asked]
    return dict(zip(asked, refine_winners(pixels, maps, backend=asked[0].crf), strict=True))


def _finish(finish: Callable[[Iterator[Label]], Any], *given: Any) -> Any:
    return finish(decide(*given))
