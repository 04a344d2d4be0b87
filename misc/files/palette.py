"""The colours of label maps and objects, and the legend beside pictures in these colours."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from misc.files.atomic import write_bytes
from misc.imutils import IGNORE

# What pictures in colours add to a folder; {} is an image's id. No id ends in .svg.
LEGEND = "palette/legend.svg"
PALETTE_FILES = ("palette/{}.png", LEGEND)
Entry = tuple[str, Sequence[int]]

# Okabe and Ito's colours, which are colour-blind safe.
OBJECT_COLOURS = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    dtype=np.uint8,
)


def voc_palette() -> np.ndarray:
    """Return PASCAL VOC's colour of each label.

    Bits 0, 3 and 6 of a label become the highest bits of its red, bits 1, 4 and 7 of its green
    and bits 2 and 5 of its blue, so that neighbouring labels look far apart: uint8 (256, 3), RGB.
    """
    labels = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for channel in range(3):
        for place in range(3):
            bit = labels >> (3 * place + channel) & 1
            colours[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return colours


def object_palette() -> np.ndarray:
    """Return the colour of each object's number, uint8 (256, 3): 0 is black, then they repeat."""
    colours = OBJECT_COLOURS[(np.arange(256) - 1) % len(OBJECT_COLOURS)]
    colours[0] = 0
    return colours


def class_entries(
    class_names: Sequence[str],
    palette: np.ndarray,
    labels: Sequence[int] | None = None,
    *,
    unsure: bool = False,
) -> list[Entry]:
    """Return name and colour (R, G, B) of the background and of each class, or of some labels.

    With `unsure` the colour of ignored pixels is among them.
    """
    names = ["background", *class_names]
    chosen = range(len(names)) if labels is None else labels
    entries: list[Entry] = [(names[label], palette[label].tolist()) for label in chosen]
    return [*entries, ("not used", palette[IGNORE].tolist())] if unsure else entries


def object_entries(names: Sequence[str] = ()) -> list[Entry]:
    """Return name and colour (R, G, B) of objects, numbered by descending score.

    Colours repeat. Without names, the entries say which numbers have a colour.
    """
    count = len(OBJECT_COLOURS)
    words = names or [f"object {n}, {n + count}, {n + 2 * count} …" for n in range(1, count + 1)]
    return [(word, OBJECT_COLOURS[i % count].tolist()) for i, word in enumerate(words)]


def write_legend(folder: str | os.PathLike[str], entries: Sequence[Entry]) -> None:
    """Write the legend of a folder's coloured pictures beside them: an SVG of names and colours."""
    rows = "".join(
        f'<rect x="8" y="{24 * row + 8}" width="16" height="16" fill="#{bytes(colour).hex()}" '
        f'stroke="#555"/><text x="34" y="{24 * row + 21}">{escape(name)}</text>'
        for row, (name, colour) in enumerate(entries)
    )
    width = 60 + 9 * max(len(name) for name, _ in entries)
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{24 * len(entries) + 8}" '
        'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="#fff"/>'
        f"{rows}</svg>\n"
    )
    write_bytes(Path(folder, LEGEND), picture.encode())
