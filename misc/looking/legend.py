"""Legends: the meaning of each colour of a picture."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from misc.files.atomic import write_bytes
from misc.files.images import encode_png
from misc.imutils import IGNORE
from misc.looking.palette import OBJECT_COLOURS

Entry = tuple[str, tuple[int, ...]]
_ROW, _SWATCH, _GAP = 24, 18, 8
# Files that pictures add to a folder; {} is an image's id.
PALETTE_FILES = ("palette/{}.png", "palette/legend.png")


def class_entries(
    class_names: Sequence[str],
    palette: np.ndarray,
    labels: Sequence[int] | None = None,
    *,
    unsure: bool = False,
) -> list[Entry]:
    """Return name and colour of the background and of each class, or of some labels.

    Args:
        class_names: of the classes; a class's label is its index + 1.
        palette: uint8 (256, 3), the colour of each label.
        labels: the labels to include; all by default.
        unsure: include the colour of ignored pixels, too.
    """
    names = ["background", *class_names]
    chosen = list(range(len(names)) if labels is None else labels)
    entries = [(names[label], _rgb(palette[label])) for label in chosen]
    return entries + ([("not used", _rgb(palette[IGNORE]))] if unsure else [])


def object_entries(names: Sequence[str] | None = None) -> list[Entry]:
    """Return name and colour of objects, numbered by descending score; colours repeat."""
    words = names or [
        "object of the best score",
        *(f"object {number}, {number + 7} …" for number in range(2, len(OBJECT_COLOURS) + 1)),
    ]
    colours = [_rgb(OBJECT_COLOURS[i % len(OBJECT_COLOURS)]) for i in range(len(words))]
    return list(zip(words, colours, strict=True))


def legend(entries: Sequence[Entry], *, rows: int = 11) -> np.ndarray:
    """Draw a swatch and a name for each entry, in columns, on white: uint8 (H, W, 3)."""
    font = ImageFont.load_default(size=14)
    columns = [entries[i : i + rows] for i in range(0, len(entries), rows)]
    widths = [
        _SWATCH + 3 * _GAP + int(max(font.getlength(name) for name, _ in column))
        for column in columns
    ]
    height = _ROW * min(rows, len(entries)) + _GAP
    page = Image.new("RGB", (sum(widths) + _GAP, height), "white")
    draw = ImageDraw.Draw(page)
    x = _GAP
    for column, width in zip(columns, widths, strict=True):
        for row, (name, colour) in enumerate(column):
            y = _GAP // 2 + row * _ROW + (_ROW - _SWATCH) // 2
            draw.rectangle((x, y, x + _SWATCH, y + _SWATCH), fill=colour, outline=(90, 90, 90))
            middle = y + _SWATCH // 2
            draw.text((x + _SWATCH + _GAP, middle), name, fill="black", font=font, anchor="lm")
        x += width
    return np.asarray(page)


def palette_path(folder: str | os.PathLike[str], image_id: str) -> Path:
    """Return the path of the palette picture beside an image's label."""
    return Path(folder) / "palette" / f"{image_id}.png"


def write_legend(folder: str | os.PathLike[str], entries: Sequence[Entry]) -> None:
    """Write the legend of a folder's palette pictures beside them."""
    write_bytes(palette_path(folder, "legend"), encode_png(legend(entries)))


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in colour)
