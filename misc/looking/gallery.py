"""Selection of a gallery's images: the worst, the best, every class, then others."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np


def choose_images(
    ids: Sequence[str],
    classes: Mapping[str, Sequence[int] | np.ndarray],
    scores: Mapping[str, float | None],
    count: int,
) -> dict[str, str]:
    """Choose the images of a gallery.

    A sixth are the worst and a sixth the best by score. Then each class that is still missing, the
    rarest first, gets the image that shows most missing classes and is nearest to the median
    score; images spaced evenly over the list fill up.

    Args:
        ids: the images.
        classes: those of each image.
        scores: of the images, where known.
        count: how many to choose, at most.

    Returns:
        for each chosen image why it was chosen, in the order of choice.
    """
    known = {i: value for i in ids if (value := scores.get(i)) is not None}
    ranked = sorted(known, key=lambda image_id: known[image_id])
    ends = min(count // 6, len(ranked) // 2)
    chosen = dict.fromkeys(ranked[:ends], "among the worst")
    chosen |= dict.fromkeys(ranked[len(ranked) - ends :][::-1], "among the best")
    middle = float(np.median(list(known.values()))) if known else 0.0

    owners: dict[int, list[str]] = {}
    for image_id in ids:
        for class_id in classes[image_id]:
            owners.setdefault(int(class_id), []).append(image_id)
    missing = set(owners) - _shown(classes, chosen)
    while missing and len(chosen) < count:
        rarest = min(missing, key=lambda class_id: (len(owners[class_id]), class_id))
        shown = {i: missing & _shown(classes, [i]) for i in owners[rarest]}
        best = max(shown, key=lambda i: (len(shown[i]), -abs(known.get(i, middle) - middle)))
        chosen[best] = "for its classes"
        missing -= shown[best]
    rest = [image_id for image_id in ids if image_id not in chosen]
    spread = rest[:: max(1, len(rest) // max(1, count - len(chosen)))]
    chosen |= dict.fromkeys(islice(spread, count - len(chosen)), "from the list")
    return chosen


def _shown(
    classes: Mapping[str, Sequence[int] | np.ndarray], ids: Sequence[str] | Mapping[str, str]
) -> set[int]:
    return {int(class_id) for image_id in ids for class_id in classes[image_id]}
