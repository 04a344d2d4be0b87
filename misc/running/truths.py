"""Which images have the ground truth that a stage reads, and the errors where it is missing."""

from collections.abc import Sequence

from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Truths

USES = {
    "measure against": "measured",
    "validate on": "validated on",
    "export as ground truth": "exported",
}


def lacking(dataset: Dataset, truths: Truths, stage: str) -> ValueError | None:
    """Return a stage's error about missing ground truth, in one line; None if none is missing."""
    # Where none is needed, too: what is there may be of a wrong form.
    found = dataset.with_truth(truths.ids, kinds=truths.kinds)
    if dataset.may_lack_truth and not truths.some:
        return None
    if len(found) == len(truths.ids) or (truths.some and found):
        return None
    there = set(found)
    first = next(i for i in truths.ids if i not in there)
    wants = "none to train on" if truths.some else "reads that of all"
    return ValueError(
        f"--{truths.flag} {truths.name}: {len(truths.ids) - len(found)} of {len(truths.ids)} "
        f"images have no ground truth, and {stage} {wants}: {_reason(dataset, truths, first)}"
    )


def require_truth(dataset: Dataset, truths: Truths, stage: str) -> None:
    """Raise ValueError if ground truth of a stage is missing."""
    error = lacking(dataset, truths, stage)
    if error is not None:
        raise error


def to_measure(dataset: Dataset, truths: Truths) -> list[str]:
    """Return the images that are measured: where truth may be missing, those that have it."""
    if not dataset.may_lack_truth:
        return list(truths.ids)
    return dataset.with_truth(truths.ids, kinds=truths.kinds)


def measured(
    dataset: Dataset, truths: Truths, stage: str, *, use: str = "measure against"
) -> list[str]:
    """Return the images that a stage measures; log it where some have no ground truth, or all.

    Args:
        dataset: the data set.
        truths: the ground truth that is read.
        stage: the stage's name.
        use: what it is read for, one of USES.
    """
    found = to_measure(dataset, truths)
    if len(found) < len(truths.ids):
        said = f"{len(found)} of {len(truths.ids)} images are {USES[use]}, those with"
        logger.info(
            "%s: %s ground truth (%s)",
            stage,
            said if found else f"nothing to {use}: no image of --{truths.flag} {truths.name} has",
            " and ".join(truths.kinds),
        )
    return found


def with_truth(dataset: Dataset, ids: Sequence[str], kind: str) -> list[str]:
    """Return the images that have ground truth, and log their number where some have none."""
    found = dataset.with_truth(ids, kinds=(kind,))
    if len(found) < len(ids):
        logger.info(
            "--supervision full: %d of %d images have ground truth (%s labels), taking those",
            len(found),
            len(ids),
            kind,
        )
    return found


def _reason(dataset: Dataset, truths: Truths, image_id: str) -> str:
    """Return where the ground truth of an image was searched."""
    readers = {"semantic": dataset.semantic_label, "instance": dataset.instance_label}
    try:
        for kind in truths.kinds:
            readers[kind](image_id)
    except FileNotFoundError as error:
        return str(error)
    return f"{image_id} has none"
