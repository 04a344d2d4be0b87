"""From an image's propagated scores to its labels: which map wins a pixel, refined if asked for.

The label stages decide once; a sweep decides with many settings on the same scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from misc.argmax import above, labels_of
from misc.files.labels import LEAST_SCORE
from misc.instances import split_winners
from misc.refinement import gathering, refine_winners
from misc.settings.config import Config


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How the winners of an image's score maps become a label.

    Attributes:
        background: the background's score.
        crf: the dense CRF that refines the winners; None for none.
        gathered: instances that IRNet gathers less than by this share of their radius score less,
            in proportion; 0 leaves the scores as they are. Of instance labels.
    """

    background: float
    crf: str | None = None
    gathered: float = 0.0


def semantic_labels(
    index: np.ndarray,
    best: np.ndarray,
    keys: np.ndarray,
    decisions: Sequence[Decision],
    *,
    pixels: np.ndarray | None,
) -> list[np.ndarray]:
    """Return the semantic label of each decision, uint8 (H, W): 0 background, else class + 1.

    Args:
        index: int32 (H, W), the number of the winning map from 1 on, 0 for the background.
        best: float32 (H, W), its score; see `instances.upsampled_winners`.
        keys: int64 (K,), the class of each map.
        decisions: what is decided.
        pixels: the image, uint8 (H, W, 3); None if no decision has a CRF.
    """
    return [labels_of(n, keys) for n, _ in _decided(index, best, decisions, pixels)]


def instance_labels(
    index: np.ndarray,
    best: np.ndarray,
    owners: np.ndarray,
    decisions: Sequence[Decision],
    *,
    pixels: np.ndarray | None,
    displacement: np.ndarray | None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the instances of each decision, as `instances.detect` returns them.

    Args:
        index: as for `semantic_labels`.
        best: likewise.
        owners: int64 (K·n,), the class of each map.
        decisions: what is decided.
        pixels: the image, uint8 (H, W, 3); None if no decision has a CRF.
        displacement: IRNet's field, float32 (2, ⌈H/4⌉, ⌈W/4⌉), in stride-4 pixels; None if no
            decision weighs scores by it.
    """
    for decision, (numbers, scores) in zip(
        decisions, _decided(index, best, decisions, pixels), strict=True
    ):
        found = split_winners(numbers, scores, owners)
        if decision.gathered:
            weighed = found["score"] * gathering(
                found["mask"], displacement, full=decision.gathered
            )
            # It stays above the score of fragments, which networks do not learn from.
            found["score"] = np.maximum(weighed, np.minimum(found["score"], LEAST_SCORE))
        yield found


def decision_of(config: Config, kind: str) -> Decision:
    """Return how the flags ask to decide on scores: for `semantic` or `instance` labels."""
    if kind == "semantic":
        crf = config.crf if config.sem_seg_crf else None
        return Decision(background=config.sem_seg_bg_thres, crf=crf)
    return Decision(
        background=config.ins_seg_bg_thres,
        crf=config.crf if config.ins_seg_crf else None,
        gathered=config.ins_seg_gathered,
    )


def _decided(
    index: np.ndarray,
    best: np.ndarray,
    decisions: Sequence[Decision],
    pixels: np.ndarray | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each decision's winners and their scores, (H, W) each; what is equal once."""
    found = {(d.background, d.crf): above(index, best, d.background) for d in decisions}
    # One CRF for all that it refines: they share its features.
    for backend in {crf for _, crf in found if crf is not None}:
        refined = [key for key in found if key[1] == backend]
        maps = refine_winners(pixels, [found[key][0] for key in refined], backend=backend)
        for key, numbers in zip(refined, maps, strict=True):
            found[key] = (numbers, found[key][1])
    return [found[d.background, d.crf] for d in decisions]
