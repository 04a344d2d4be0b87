"""Which images have the ground truth that a stage reads."""

from collections.abc import Sequence

from misc.files.dataset import Dataset
from misc.run.log import logger

# By what becomes of the images, what is not done where none has ground truth.
USES = {
    "measured": "measure against",
    "validated on": "validate on",
    "exported": "export as ground truth",
}


def images_with_ground_truth(
    dataset: Dataset,
    ids: Sequence[str],
    kinds: Sequence[str],
    *,
    stage: str,
    source: str,
    use: str = "measured",
) -> list[str]:
    """Return those of a list's images that have ground truth; log it where some have none.

    Args:
        dataset: the data set.
        ids: the images.
        kinds: of the ground truth, all of which an image must have: `semantic`, `instance`.
        stage: the stage that reads it.
        source: the list's flag and value.
        use: what becomes of the images, one of USES.

    Raises:
        ValueError: some have none, in a data set in which all should.
    """
    found = dataset.with_truth(ids, kinds=kinds)
    if len(found) == len(ids):
        return found
    if not dataset.may_lack_truth:
        raise ValueError(missing_truth(dataset, ids, found, kinds, stage=stage, source=source))
    if found:
        words = f"{len(found)} of {len(ids)} images are {use}, those with"
    else:
        words = f"nothing to {USES[use]}: no image of {source} has"
    logger.info("%s: %s ground truth (%s)", stage, words, " and ".join(kinds))
    return found


def missing_truth(
    dataset: Dataset,
    ids: Sequence[str],
    found: Sequence[str],
    kinds: Sequence[str],
    *,
    stage: str,
    source: str,
    wanted: str = "reads that of all",
) -> str:
    """Return in one line how many of the images are not among those found, and why the first."""
    known = set(found)
    first = next(image_id for image_id in ids if image_id not in known)
    return (
        f"{source}: {len(ids) - len(found)} of {len(ids)} images have no ground truth, and "
        f"{stage} {wanted}: {_reason(dataset, first, kinds)}"
    )


def _reason(dataset: Dataset, image_id: str, kinds: Sequence[str]) -> str:
    """Return where the ground truth of an image was searched."""
    readers = {"semantic": dataset.semantic_label, "instance": dataset.instance_label}
    try:
        for kind in kinds:
            readers[kind](image_id)
    except FileNotFoundError as error:
        return str(error)
    return f"{image_id} has none"
