"""From CAMs and IRNet's fields to instance and semantic labels (METHOD sections 5 to 7).

The label stages, --predict and --sweep make their labels with `synthesise`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from misc.argmax import above, labels_of
from misc.centroids import cluster_centroids, find_centroids
from misc.imutils import normalize, with_mirror
from misc.indexing import propagate_to_edge
from misc.instances import scores_of_maps, separate_scores, split_winners, upsampled_winners
from misc.machine.device import Compute
from misc.refinement import refine_winners
from misc.run.workers import Way
from misc.settings.config import Config

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
    """

    power: float = 1
    radius: int = 0
    beta: float = 0
    exp_times: int = 0
    small_displacement: float = 0


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """How a label is made.

    Attributes:
        kind: `instance` or `semantic`.
        scores: the score maps that it is cut from.
        background: score of the background.
        crf: implementation of the dense CRF that refines it; None for no CRF.
    """

    kind: str
    scores: ScoreSettings
    background: float
    crf: str | None = None


def label_settings_from(config: Config, kind: str) -> LabelSettings:
    """Return how the flags ask for `instance` or `semantic` labels."""
    is_instance = kind == "instance"
    splits = is_instance and config.ins_seg_split
    has_crf = config.ins_seg_crf if is_instance else config.sem_seg_crf
    return LabelSettings(
        kind=kind,
        # What is off is equal with any other settings.
        scores=ScoreSettings(
            power=config.cam_power,
            radius=config.walk_radius if config.walk else 0,
            beta=config.beta if config.walk else 0,
            exp_times=config.exp_times if config.walk else 0,
            small_displacement=config.small_displacement if splits else 0,
        ),
        background=config.ins_seg_bg_thres if is_instance else config.sem_seg_bg_thres,
        crf=config.crf if has_crf else None,
    )


def apply_irnet(model: Any, compute: Compute, image: torch.Tensor) -> Fields:
    """Apply IRNet to an image, uint8 (3, H, W): boundary (1, h, w), displacement (2, h, w)."""
    pair = with_mirror(normalize(compute.put(image)))
    with torch.inference_mode(), compute.autocast(pair):
        boundary, displacement = model(pair)
    return boundary, displacement


def synthesise(
    fields: Fields,
    cam: torch.Tensor,
    keys: np.ndarray,
    size: tuple[int, int],
    *,
    image: torch.Tensor,
    settings: Sequence[LabelSettings],
    finish: Callable[[Iterator[Label]], Any],
) -> Way:
    """Make the labels of an image: the walk in this process, all else in the workers.

    Args:
        fields: boundary (1, h, w) and displacement (2, h, w), of `apply_irnet`.
        cam: float32 (K, h, w) on the stride-4 grid, on the fields' device.
        keys: int64 (K,), the class of each map.
        size: the image's (H, W).
        image: uint8 (3, H, W), on the CPU.
        settings: of each label. Labels of equal scores share one walk.
        finish: called in a worker with the labels, in the order of `settings`; picklable.

    Returns:
        what `finish` returns.
    """
    boundary, displacement = fields
    every = list(dict.fromkeys(one.scores for one in settings))
    instance_maps: dict[float, np.ndarray] = {}
    if lengths := {scores.small_displacement for scores in every} - {0}:
        instance_maps = yield partial(split_pixels, displacement.cpu().numpy(), sorted(lengths))
    walked = {scores: walk(cam**scores.power, boundary, instance_maps, scores) for scores in every}
    # The image is sent to a worker for a CRF alone.
    pixels = image.permute(1, 2, 0).contiguous().numpy() if any(s.crf for s in settings) else None
    return (yield partial(_finish, finish, walked, keys, size, pixels, settings))


def split_pixels(displacement: np.ndarray, lengths: Sequence[float]) -> dict[float, np.ndarray]:
    """Assign an image's pixels to instances, at each length of a small displacement.

    Args:
        displacement: float32 (2, h, w), in stride-4 pixels.
        lengths: below which a displacement is small.

    Returns:
        by length int32 (h, w), the instance of each pixel.
    """
    centroids = find_centroids(displacement)
    return {at: cluster_centroids(centroids, displacement, threshold=at) for at in lengths}


def walk(
    cam: torch.Tensor,
    boundary: torch.Tensor,
    instance_maps: Mapping[float, np.ndarray],
    scores: ScoreSettings,
) -> np.ndarray:
    """Split an image's CAMs (K, h, w) into n instances, and propagate them up to boundaries.

    Returns:
        float32 (K·n, 1, h, w); n is 1 for maps that are not split.
    """
    if scores.small_displacement:
        cam = separate_scores(cam, instance_maps[scores.small_displacement])
    if not scores.radius:
        return cam.flatten(0, -3).unsqueeze(1).cpu().numpy()
    walked = propagate_to_edge(cam, boundary, scores.radius, scores.beta, scores.exp_times)
    return walked.cpu().numpy()


def decide(
    walked: Mapping[ScoreSettings, np.ndarray],
    keys: np.ndarray,
    size: tuple[int, int],
    pixels: np.ndarray | None,
    settings: Sequence[LabelSettings],
) -> Iterator[Label]:
    """Yield the label of each of the settings.

    Args:
        walked: score maps of `walk`, float32 (K·n, 1, h, w) each.
        keys: int64 (K,), the classes.
        size: the image's (H, W).
        pixels: the image, uint8 (H, W, 3), where any label has a CRF.
        settings: of the labels.
    """
    maps = {scores: torch.from_numpy(found) for scores, found in walked.items()}
    found = {scores: upsampled_winners(each, size) for scores, each in maps.items()}
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
        yield split_winners(index, own, classes)


def _refine(
    found: Mapping[ScoreSettings, tuple[np.ndarray, np.ndarray]],
    pixels: np.ndarray | None,
    settings: Sequence[LabelSettings],
) -> dict[LabelSettings, np.ndarray]:
    """Return the refined winners of each label that has a CRF; they share its features."""
    asked = [one for one in settings if one.crf]
    backend = next((one.crf for one in asked), None)
    if backend is None:
        return {}
    assert pixels is not None
    maps = [above(*found[one.scores], one.background)[0] for one in asked]
    return dict(zip(asked, refine_winners(pixels, maps, backend=backend), strict=True))


def _finish(finish: Callable[[Iterator[Label]], Any], *given: Any) -> Any:
    return finish(decide(*given))
