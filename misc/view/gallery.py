"""Selection of a gallery's images: the worst, the best, every class, then others."""

from collections.abc import Iterable, Mapping, Sequence


def choose_images(
    ids: Sequence[str],
    classes: Mapping[str, Iterable[int]],
    scores: Mapping[str, float | None],
    count: int,
) -> dict[str, str]:
    """Choose the images of a gallery.

    A sixth are the worst and a sixth the best by score; then one of each class that is still
    missing, the rarest first; images spaced evenly over the list fill up.

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

    images_of: dict[int, list[str]] = {}
    for image_id in ids:
        for class_id in classes[image_id]:
            images_of.setdefault(int(class_id), []).append(image_id)
    for images in sorted(images_of.values(), key=len):
        if len(chosen) < count and chosen.keys().isdisjoint(images):
            chosen[images[len(images) // 2]] = "for its classes"
    rest = [image_id for image_id in ids if image_id not in chosen]
    needed = count - len(chosen)
    spread = rest[:: max(1, len(rest) // max(1, needed))][:needed]
    return chosen | dict.fromkeys(spread, "from the list")
