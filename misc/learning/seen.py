"""Which images a network was trained on: a list beside its weights, for its evaluation."""

import os
from collections.abc import Sequence
from pathlib import Path

from misc.files.atomic import write_bytes
from misc.machine import ranks
from misc.running.dataset import Dataset
from misc.running.log import logger
from misc.running.plan import Truths


def seen_path(weights: str | os.PathLike[str]) -> Path:
    """Return the path of the list beside a weights file."""
    return Path(f"{os.fspath(weights)}.images.txt")


def note_seen(
    weights: str | os.PathLike[str], dataset: Dataset, ids: Sequence[str], *, again: bool
) -> None:
    """Write the images that a network is trained on beside its weights; by the first rank.

    A list that is there is written anew where `again` is set.
    """

    def write() -> None:
        if seen_path(weights).is_file() and not again:
            return
        lines = "".join(f"{_line(dataset, image_id)}\n" for image_id in ids)
        write_bytes(seen_path(weights), lines.encode())

    ranks.on_first(write)


def warn_of_seen(weights: str | os.PathLike[str], dataset: Dataset, truths: Truths) -> None:
    """Warn in one line of measured images that the network was trained on.

    Weights without a list, as those of another program, tell nothing.
    """
    try:
        noted = seen_path(weights).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return
    known = {line.partition("\t")[0] for line in noted}
    lines = set(noted)
    seen = [i for i in truths.ids if i in known and _line(dataset, i) in lines]
    if seen:
        logger.warning(
            "%d of %d images of --%s %s were trained on (%s): the measures are not of unseen "
            "images",
            *(len(seen), len(truths.ids), truths.flag, truths.name, weights),
        )


def _line(dataset: Dataset, image_id: str) -> str:
    """Return an image's id and the size of its file: another folder may have the same names."""
    path = dataset.image_path(image_id)
    return f"{image_id}\t{path.stat().st_size if path.is_file() else ''}"
