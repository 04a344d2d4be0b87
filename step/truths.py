"""Which images have the ground truth that a stage reads, and what is said where they lack it."""

from collections.abc import Sequence

import voc12
from misc.log import logger
from misc.plan import Truths


def lacking(dataset: voc12.Dataset, truths: Truths, stage: str) -> ValueError | None:
    """Return the error of a stage that would lack ground truth, in one line; None if none would."""
    found = dataset.with_truth(truths.ids, kinds=truths.kinds)
    if len(found) == len(truths.ids) or (truths.some and found):
        return None
    first = next(i for i in truths.ids if i not in set(found))
    wants = "none to learn from" if truths.some else "reads that of all"
    return ValueError(
        f"--{truths.flag} {truths.name}: {len(truths.ids) - len(found)} of {len(truths.ids)} "
        f"images have no ground truth, and {stage} {wants}: {_reason(dataset, truths, first)}"
    )


def require_truth(dataset: voc12.Dataset, truths: Truths, stage: str) -> None:
    """Raise ValueError if a stage would lack ground truth."""
    error = lacking(dataset, truths, stage)
    if error is not None:
        raise error


def with_truth(dataset: voc12.Dataset, ids: Sequence[str], kind: str) -> list[str]:
    """Return the images that have ground truth, and say how many they are where some have none."""
    found = dataset.with_truth(ids, kinds=(kind,))
    if len(found) < len(ids):
        logger.info(
            "--supervision full: %d of %d images have ground truth (%s labels), taking those",
            len(found),
            len(ids),
            kind,
        )
    return found


def _reason(dataset: voc12.Dataset, truths: Truths, image_id: str) -> str:
    """Say where the ground truth of an image was looked for."""
    readers = {"semantic": dataset.semantic_label, "instance": dataset.instance_label}
    try:
        for kind in truths.kinds:
            readers[kind](image_id)
    except FileNotFoundError as error:
        return str(error)
    return f"{image_id} has none"
